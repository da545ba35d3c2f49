// Package run runs the code that companions write, so that two programs which do
// the same can be told from two which do not.
//
// A [Runner] starts a command of the operator's once a candidate, gives it the
// candidate on its standard input, and takes its exit code and its standard
// output for the result. Results that are equal have equal keys; a key is a
// digest and tells nothing of the code or of what it printed. [Candidate] takes
// the code out of a reply.
//
// Limits: time by the clock and on the processor, memory, processes, file size,
// open files and output; what breaks one has failed. On Linux a process of our own
// stands between ([Supervise]): it sets them, counts, and when the command ends or
// is stopped it ends every process that came of it, also one that left its group.
// Elsewhere there are time and output only, and the command's process group.
//
// They are a seat belt and no jail. The code runs as the user who runs the
// gateway, and may read what that user may, and reach the network. Who wants it
// shut in gives a command that does so (a container, nsjail, another user).
package run
