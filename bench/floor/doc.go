// Package floor is what the gateway's speed is held against: the least that a
// program can do which puts one request to several companions and answers.
//
// It takes a request, sends its body unread to every companion over keep-alive
// connections, waits until all have answered, and answers with a constant body.
// It neither parses, scores, weighs, stores nor logs, has no deadlines, no
// limits and no retries, and fails the request when one companion fails. What
// the gateway costs beyond it is what deliberating costs.
package floor
