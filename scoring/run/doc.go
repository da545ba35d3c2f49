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
// what lies in the working folder, open files and output; what breaks one has
// failed. The folder, memory and processes are looked at every few milliseconds:
// what is taken and given back between two looks is not seen, nor are files that
// have been deleted and are still open. On Linux a process of our own
// stands between ([Supervise]): it sets them, counts, and when the command ends or
// is stopped it ends every process that came of it, also one that left its group.
// Elsewhere there are time and output only, and the command's process group.
//
// They are a seat belt and no jail. The code runs as the user who runs the
// gateway, and may read what that user may, write where that user may without any bound on room, and reach the network.
// It may end its supervisor, which is a failure, and then what left its process
// group lives on, with the limits that each process has. Who wants it
// shut in gives a command that does so (a container, nsjail, another user).
package run
