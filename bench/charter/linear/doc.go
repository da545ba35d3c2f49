// Package linear trains the linear model of the charter scorer.
//
// A labelled text is read into a [Text]: the grams and facts that the scorer itself
// reads of it, so that training and running cannot differ. [Fit] finds weights by
// logistic regression, [Fit.Table] rounds them into the table that the scorer embeds.
// What a model says of texts it learned from flatters it; [Cross] gives what models
// say that did not see a text's group, and [LeaveOut] what one says that saw nothing
// of a whole source.
//
// Which sources may be learned from is a table ([Sources]): a text of any other
// source is measured on, never learned from. Text goes in and hashes with weights
// come out; a table holds no words.
//
// The same texts, options and seed give the same table on the same kind of machine.
package linear
