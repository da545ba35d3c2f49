package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/mod/sumdb/note"

	"github.com/kaizen-os/deliberation/scoring/charter"
	"github.com/kaizen-os/deliberation/store"
	"github.com/kaizen-os/deliberation/store/witness"
)

const (
	defaultWitnessListen = "127.0.0.1:8081" // beside a gateway
	defaultWitnessData   = "./witness"
	witnessKeyFile       = "witness.key" // in the data folder, mode 0600

	// witnessTime is how long one request may take, and all under way after SIGTERM:
	// it is one small write.
	witnessTime = 10 * time.Second
	// witnessIdle is how long a log's connection is kept: longer than ours keep
	// theirs, so that the side that asks is the one that closes.
	witnessIdle = 3 * time.Minute
)

// witnessOptions is the command line of kaizen witness.
type witnessOptions struct {
	listen, data, name string
	logs               []string
}

func newWitnessCommand() *cobra.Command {
	var o witnessOptions
	cmd := &cobra.Command{
		Use:   "witness",
		Short: "Vouch for ledgers: cosign their checkpoints, and none that takes anything back",
		Long: `Serve a witness (C2SP tlog-witness): it remembers the last checkpoint of each log it
is given, and cosigns the next one only if it goes on from there. Run it on another
machine than the gateway's, or have somebody else run it; others reach it best behind
a web server that speaks TLS. Its data folder must never go back to an older state:
do not restore it from a backup.

A log's key may be given together with the one that is to replace it; both then sign
for it. SIGTERM and SIGINT finish what is under way and end.`,
		Example: `  kaizen witness --name witness.example.com/w1 --log ledger.pub
  kaizen witness --log kaizen-os.civic.ai/ledger+af2c…+Af… --listen 127.0.0.1:9001 --data /var/lib/witness`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			logs, err := logsFrom(o.logs)
			if err != nil {
				return &exitError{exitUsage, err}
			}
			return serveWitness(cmd.Context(), &o, logs, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	cmd.Flags().StringVar(&o.listen, "listen", defaultWitnessListen, "host:port to serve on")
	cmd.Flags().StringVar(&o.data, "data", defaultWitnessData, "the folder of the witness's key and of what it remembers")
	cmd.Flags().StringVar(&o.name, "name", "", "names a new key, best by a URL without its scheme; needed the first time")
	cmd.Flags().StringArrayVar(&o.logs, "log", nil, "the public key of a log to vouch for, in note form, or a file of such keys, one a line; may be repeated")
	return cmd
}

// logsFrom reads what --log was given: keys and files of them. Keys of one name are
// one log's.
func logsFrom(given []string) (logs []witness.Log, err error) {
	if len(given) == 0 {
		return nil, errors.New("give --log with the public key of each log to vouch for: a gateway's ledger.pub, or what GET /ledger/key answers")
	}
	for _, text := range given {
		source, lines := "--log", []byte(text) // a key is not repeated: it may be the private one
		if data, err := readBounded(text, maxConfigBytes); err == nil {
			source, lines = "--log "+text, data
		} else if !strings.Contains(text, "+") {
			return nil, fmt.Errorf("--log is neither a file nor a key in note form: %w", err)
		}
		found := false
		for line := range bytes.Lines(lines) {
			line = bytes.TrimSpace(line)
			if len(line) == 0 {
				continue
			}
			key, err := note.NewVerifier(string(line))
			if err != nil {
				return nil, fmt.Errorf("%s: want a log's public key in note form, name+id+base64, as in ledger.pub (%w)", source, err)
			}
			found = true
			logs = addLog(logs, key)
		}
		if !found {
			return nil, fmt.Errorf("%s: there is no key in it", source)
		}
	}
	return logs, nil
}

func addLog(logs []witness.Log, key note.Verifier) []witness.Log {
	i := slices.IndexFunc(logs, func(l witness.Log) bool { return l.Origin == key.Name() })
	if i < 0 {
		return append(logs, witness.Log{Origin: key.Name(), Keys: []note.Verifier{key}})
	}
	if !slices.ContainsFunc(logs[i].Keys, func(k note.Verifier) bool { return k.KeyHash() == key.KeyHash() }) {
		logs[i].Keys = append(logs[i].Keys, key)
	}
	return logs
}

// serveWitness runs until ctx is done or the listener fails.
func serveWitness(ctx context.Context, o *witnessOptions, logs []witness.Log, out, errOut io.Writer) (err error) {
	log := newLog(errOut, slog.LevelInfo, charter.New())
	// The listener first: a port in use is the commonest mistake, and nothing should
	// have been written by then.
	ln, err := net.Listen("tcp", o.listen)
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("listen on %s: the port is in use; stop what uses it, or choose another with --listen", o.listen)
	}
	if err != nil {
		return fmt.Errorf("listen on %s: %w", o.listen, err)
	}
	defer ln.Close()
	key, err := witnessKey(o.data, o.name)
	if err != nil {
		return err
	}
	w, err := witness.Open(witness.Config{Dir: o.data, Key: key, Logs: logs, Logger: log})
	if errors.Is(err, store.ErrLocked) {
		return fmt.Errorf("the folder %s is in use by another witness: stop that one, or use another folder with --data", o.data)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.Close()) }()

	srv := &http.Server{
		Handler:           witness.NewHandler(w),
		ReadHeaderTimeout: witnessTime,
		ReadTimeout:       witnessTime,
		WriteTimeout:      2 * witnessTime,
		IdleTimeout:       witnessIdle,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	ended := make(chan error, 1)
	go func() { ended <- srv.Serve(ln) }()
	greetWitness(out, w, key, logs, ln.Addr().String())
	select {
	case err := <-ended:
		return fmt.Errorf("serve %s: %w", o.listen, err)
	case <-ctx.Done():
	}
	log.Info("draining")
	drain, cancel := context.WithTimeout(context.Background(), witnessTime)
	defer cancel()
	err = srv.Shutdown(drain)
	<-ended // http.ErrServerClosed
	if err != nil {
		return errors.Join(fmt.Errorf("drain: %w", err), srv.Close())
	}
	return nil
}

// witnessKey reads the witness's key in dir, making one called name if there is none.
func witnessKey(dir, name string) (*witness.Signer, error) {
	path := filepath.Join(dir, witnessKeyFile)
	text, err := store.ReadSecret(path)
	if errors.Is(err, fs.ErrNotExist) {
		if name == "" {
			return nil, &exitError{exitUsage, fmt.Errorf("there is no key in %s yet: give --name to make one, such as --name witness.example.com/w1", dir)}
		}
		fresh, err := witness.GenerateKey(name)
		if err != nil {
			return nil, &exitError{exitUsage, fmt.Errorf("--name: %w", err)}
		}
		if err := store.CreateSecret(path, []byte(fresh+"\n")); err != nil {
			return nil, fmt.Errorf("witness key: %w", err)
		}
		return witness.NewSigner(fresh)
	}
	if err != nil {
		return nil, fmt.Errorf("witness key: %w", err)
	}
	key, err := witness.NewSigner(strings.TrimSpace(string(text)))
	if err != nil {
		return nil, fmt.Errorf("witness key %s: %w", path, err)
	}
	if name != "" && key.Name() != name {
		return nil, &exitError{exitUsage, fmt.Errorf("--name: the key in %s is called %s; leave --name out, or use another folder with --data", path, key.Name())}
	}
	return key, nil
}

// greetWitness says where the witness is, and what a gateway is to be told.
func greetWitness(out io.Writer, w *witness.Witness, key *witness.Signer, logs []witness.Log, address string) {
	fmt.Fprintf(out, "kaizen witness at http://%s\n  key %s\n", address, key)
	for _, l := range logs {
		size, err := w.Size(l.Origin)
		if err != nil {
			fmt.Fprintf(out, "  log %s: refused, its state in %s cannot be read\n", l.Origin, witness.StateFile(l.Origin))
			continue
		}
		fmt.Fprintf(out, "  log %s: cosigned up to %d entries\n", l.Origin, size)
	}
	fmt.Fprintf(out, "\nIn the gateway's configuration, with the URL that it can reach this by:\n\nledger:\n  witnesses:\n    - {key: %q, url: \"http://%s\"}\n\n", key.String(), address)
}
