// Package answer finds what a reply answers, and how like two answers are.
//
// A reply to a question of a closed kind (choice, number, short, json, vote) has
// one answer, which [Extract] finds in its text and brings to a canonical
// [Answer.Key]: two replies give the same answer exactly when their keys are
// equal. [Plain] says whether a reply shows such an answer by its form alone,
// for a question that did not state its kind.
//
// Free text has no key. A [Words] is what one text says once the words that
// carry nothing, and those that only repeat the question, are set aside;
// [Similarities] compares every pair of a panel's texts, from 0 to
// [quorum.One], or -1 for two texts that contradict each other (a negation
// against an affirmation, more against less, another name, figure, date or unit in
// the same place) and so must never share a position, however alike they are.
//
// # Where an answer is looked for
//
// In this order, the last of its kind in the text: an "answer" field, as a
// careless model writes JSON (quotes not escaped, no quotes, cut off, in a code
// fence), or <answer>; \boxed{}; ####; "the answer is", an answer heading, and the
// same in some other languages; and, where nothing says so, the last option letter
// or number near the end. Never an option beyond those given, nor the article "a"
// or "I" for one.
//
// # Several answers
//
// [Answer.Ambiguous] tells of a reply that gives different answers in these places,
// or several in one ("(A) and (C)", "5 or 6"). The later one counts, and nothing is
// ambiguous, where it is plain that the earlier was given up: it was taken back
// ("wait", "however", "I made a mistake"), it is reasoning on the way to a formal
// answer, it is a member that the same object has again, or all of them are a list
// of answers to several questions, of which the last is the one that was asked.
//
// # Invariants
//
// Everything here is a pure function of its arguments, on integers: the same
// texts give the same keys and the same parts per million on every machine. What
// is shown of an answer, put as a reply of its own, has the answer's key.
// Work is linear in the text, whatever the bytes: nothing is looked at more than
// a fixed number of times, invalid UTF-8 included, and nothing panics.
//
// # Allocations
//
// [Extract] makes at most three small ones for an ordinary reply (the key, what is
// shown, a value that had to be unescaped); a JSON document makes four and one
// more for each object with several members. [Words.Read] and [Similarities] make
// none once their buffers have grown. TestAllocations holds both to this.
package answer
