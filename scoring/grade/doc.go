// Package grade tells whether a reply is right, given what is known to be true.
//
// [New] reads the accepted answers of one labelled prompt and refuses those that
// are no answer of their kind, so that a mistake in a label is found before
// anybody is asked. [Truth.Grade] then judges any number of replies.
//
// A reply is read exactly as the panel's ballots are, by package answer: what is
// graded is what would have been counted. It was [Unseen] when it would have been
// no position (no text, an abstention, a text that says it does not know), and
// [Wrong] when it gives another answer, several different ones, or none that its
// kind knows.
//
// Closed kinds compare canonical answers. A text is right when it holds one of the
// accepted answers: its words in order, or half of the words that say something
// and all of its figures. Held against people's verdicts on replies of five models
// (EVOUNA, the half of it that the project develops on), it agrees with 95.2 % of
// 4,800 on TriviaQA and 90.2 % of 7,506 on Natural Questions; where it does not, it
// is strict three times in four. Code and open text cannot be graded here.
//
// Everything is a pure function of its arguments. An error never holds text of a
// prompt or a truth.
package grade
