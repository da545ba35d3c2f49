package dialect

import "github.com/kaizen-os/deliberation/fanout/upstream"

// What can be wrong with a reply. None of it quotes the provider.
var (
	ErrMalformed  = &upstream.Error{Class: upstream.Malformed, Reason: "reply is not the agreed json"}
	ErrNoChoice   = &upstream.Error{Class: upstream.Malformed, Reason: "reply has no choice"}
	ErrNoContent  = &upstream.Error{Class: upstream.Malformed, Reason: "reply has no content"}
	ErrTokens     = &upstream.Error{Class: upstream.Malformed, Reason: "token count out of range"}
	ErrCall       = &upstream.Error{Class: upstream.Malformed, Reason: "tool call is not the agreed shape"}
	ErrNotOffered = &upstream.Error{Class: upstream.Malformed, Reason: "reply calls a tool that was not offered"}
	ErrNoCall     = &upstream.Error{Class: upstream.Malformed, Reason: "reply calls no tool where it must"}

	ErrInStream   = &upstream.Error{Class: upstream.Status, Reason: "error in place of a reply"}
	ErrUnfinished = &upstream.Error{Class: upstream.Truncated, Reason: "reply lacks its end"}
	ErrTooLarge   = &upstream.Error{Class: upstream.TooLarge, Reason: "reply over the size limit"}

	ErrRefusal  = &upstream.Error{Class: upstream.Refused, Reason: "the model declined"}
	ErrFiltered = &upstream.Error{Class: upstream.Refused, Reason: "stopped by the provider's content filter"}
	ErrQuota    = &upstream.Error{Class: upstream.RateLimited, Reason: "the account's quota is used up"}

	// ErrNoRoom says nothing against the companion: who asked allowed too little.
	ErrNoRoom = &upstream.Error{Class: upstream.BadRequest, Reason: "the token limit left no room for an answer"}
)
