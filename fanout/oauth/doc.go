// Package oauth gets access tokens by OAuth 2 client credentials, for companions
// that take no API key.
//
// A [Source] keeps one token. [Source.Token] gives it at once while it is valid;
// some time before its end the first call that comes sets off a request for the
// next, and no call waits for that. Only where there is no valid token do calls
// wait, all for the same request. A token endpoint that fails is asked again after
// a pause, and what it says goes into no error.
package oauth
