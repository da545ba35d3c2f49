// Package bench holds what measures the gateway: companions that simulate or
// replay (sim), a load generator (load), the bare fan-out that speed is held
// against (floor), and accuracy on recorded replies (eval). README.md has the
// numbers, with machine and command.
package bench
