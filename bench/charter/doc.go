// Package charter measures the charter scorer on labelled texts.
//
// Items come from files of one JSON object a line (package data): replies that
// broke the charter and replies that did not, short texts, benign replies, texts
// with labelled personal data, pairs. Each is scored once as it is, with its
// prompt where one is known; a [Report] then says, by source and label, what share
// falls under 85, 75, 70 and 65 points (recall of the bad, false positives of the
// ok), and holds that to the numbers to reach ([Report.Goals]).
//
// Within a source, bad and ok differ in style as much as in harm: a refusal gives
// an ok reply away, a jailbreak template a bad one. So beside the AUROC within the
// source stands recall at 1 % false positives on the benign replies of other
// sources, by a rank that may be finer than the score; the same on replies without
// the wording of templates ([Stripped]); and the same by a rank that learned from
// no item of the source ([LeaveOut]). What a scorer learned from is scored, for all of
// this, by one that did not see the item's group (Config.Unseen).
//
// Personal data counts by span. Labels are in characters, findings in bytes, and
// both are compared in bytes. A finding answers a label when it is of its family
// and fits it: exactly; fairly, which is exactly after both are trimmed of all but
// letters and digits at their ends, and what goals ask for; or by half, when what
// they share is at least half of each. Each answers one. A finding that answers
// none is a false one, also in a text that has no label.
//
// Evasions ([Evaded]) rewrite the bad replies that score under 85, and count those
// that then do not. Speed is of one core, on texts cut from benign replies, and on
// texts made to be slow ([Speed]).
//
// Nothing here prints a text. Shares come with the 95 % interval of Wilson.
package charter
