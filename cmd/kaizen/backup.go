package main

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/kaizen-os/deliberation/gateway"
	"github.com/kaizen-os/deliberation/store"
	"github.com/kaizen-os/deliberation/store/ledger"
)

const (
	defaultAdminURL = "http://" + defaultAdmin
	// partSuffix is of the folder that a backup is written to until it is whole.
	partSuffix = ".part"
	// maxManifestBytes bounds a backup.json: some hundred bytes a file.
	maxManifestBytes = 64 << 20
)

// backupOptions are the flags of kaizen backup.
type backupOptions struct {
	url, data, key string
}

func newBackupCommand() *cobra.Command {
	var o backupOptions
	cmd := &cobra.Command{
		Use:   "backup DIR",
		Short: "Copy ledger and vault, also while the gateway serves",
		Long: `Copy ledger and vault into DIR, which must be new or empty. A gateway that runs is asked
for the copy at its admin listener and serves on; where none listens and nothing else
has the data folder open, that is copied as it lies.

DIR gets backup.json with the SHA-256 of every file when all are there, safely on the
disk: a backup that failed leaves no DIR. No key is ever in a backup. Keep ledger.key,
vault.key and steward.key by themselves: without vault.key the texts in a backup cannot
be read, by you or anybody else.

A text that is erased later stays in this backup, for whoever has it and vault.key:
delete backups that are older than the retention of texts (30 days).`,
		Example: `  kaizen backup /backups/monday
  kaizen backup /backups/monday --url http://127.0.0.1:9090 --key file:data/steward.key`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 || args[0] == "" {
				return &exitError{exitUsage, errors.New("give one folder: kaizen backup DIR")}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			b, err := backup(cmd.Context(), filepath.Clean(args[0]), &o, cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			var size int64
			for _, f := range b.Files {
				size += f.Size
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "backup in %s: ledger %s of %d entries, root %s; %d files, %d bytes\nno key is in it: keep %s and vault.key by themselves\n",
				args[0], printable(b.Origin), b.Size, printable(b.Root), len(b.Files), size, ledger.KeyFile)
			return err
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.url, "url", defaultAdminURL, "the gateway's admin listener")
	f.StringVar(&o.data, "data", defaultData, "the gateway's data folder: for its steward.key, and to copy when no gateway runs")
	f.StringVar(&o.key, "key", "", "where the steward's key is: env:NAME or file:PATH (default steward.key in --data)")
	return cmd
}

// backup writes a backup into the folder dir, which is whole when it is there.
func backup(ctx context.Context, dir string, o *backupOptions, errOut io.Writer) (b *gateway.Backup, err error) {
	if list, err := os.ReadDir(dir); err == nil && len(list) > 0 {
		return nil, fmt.Errorf("%s is not empty: give a folder that is new", dir)
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	part := dir + partSuffix
	if err := os.Mkdir(part, 0o700); errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("%s is left of a backup that did not end, or of one under way: remove it", part)
	} else if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			os.RemoveAll(part)
		}
	}()
	stream, err := backupStream(ctx, o, errOut)
	if err != nil {
		return nil, err
	}
	b, err = receiveBackup(stream, part)
	if err = errors.Join(err, stream.Close()); err != nil {
		if ctx.Err() != nil {
			return nil, errors.New("interrupted")
		}
		return nil, err
	}
	if err := os.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err // it is no longer empty
	}
	if err := os.Rename(part, dir); err != nil {
		return nil, err
	}
	return b, syncFolder(filepath.Dir(dir))
}

// backupStream is the backup of the gateway that runs, or of its data folder.
func backupStream(ctx context.Context, o *backupOptions, errOut io.Writer) (io.ReadCloser, error) {
	key, err := o.stewardKey()
	if err != nil {
		return nil, err
	}
	c, err := newClient(o.url, key)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base.JoinPath("/backup").String(), nil)
	if err != nil {
		return nil, err
	}
	if !key.Empty() {
		req.Header.Set("Authorization", "Bearer "+key.Reveal())
	}
	resp, err := c.http.Do(req)
	if errors.Is(err, syscall.ECONNREFUSED) {
		return o.stopped(errOut)
	}
	if err != nil {
		return nil, c.unreachable(err)
	}
	if kind := resp.Header.Get("Content-Type"); resp.StatusCode != http.StatusOK || kind != "application/x-tar" {
		defer resp.Body.Close()
		said, _ := io.ReadAll(io.LimitReader(resp.Body, 200))
		switch resp.StatusCode {
		case http.StatusOK, http.StatusNotFound:
			return nil, fmt.Errorf("%s serves no backups: give the gateway's admin listener with --url", c.base)
		case http.StatusForbidden:
			return nil, fmt.Errorf("%s: %s (give it with --data or --key)", c.base, oneLine(string(said)))
		}
		return nil, fmt.Errorf("%s answers %s: %s", c.base, resp.Status, oneLine(string(said)))
	}
	return resp.Body, nil
}

// stewardKey is empty where there is none: a data folder that nobody serves can
// be copied without.
func (o *backupOptions) stewardKey() (Secret, error) {
	if o.key != "" {
		return keyFrom(o.key, os.LookupEnv)
	}
	text, err := store.ReadSecret(filepath.Join(o.data, "steward.key"))
	if errors.Is(err, fs.ErrNotExist) {
		return Secret{}, nil
	}
	key := strings.TrimSpace(string(text))
	if err == nil && !headerSafe(key) {
		err = fmt.Errorf("%s holds no key", filepath.Join(o.data, "steward.key"))
	}
	return Secret{key}, err
}

// stopped is the backup of a data folder that nobody has open.
func (o *backupOptions) stopped(errOut io.Writer) (io.ReadCloser, error) {
	if _, err := os.Stat(filepath.Join(o.data, ledger.StoreDir)); err != nil {
		return nil, fmt.Errorf("nobody listens at %s, and %s is no data folder of a gateway: give one of them with --url or --data", o.url, o.data)
	}
	fmt.Fprintf(errOut, "nobody listens at %s: copying %s as it lies\n", o.url, o.data)
	r, w := io.Pipe()
	go func() {
		err := gateway.WriteBackup(w, o.data, time.Now())
		if errors.Is(err, store.ErrLocked) {
			err = fmt.Errorf("nobody listens at %s, but a process has %s open: give the gateway's admin listener with --url", o.url, o.data)
		} else if err != nil {
			err = errors.New(oneLine(err.Error()))
		}
		w.CloseWithError(err) // ends with the reader, which closes its end
	}()
	return r, nil
}

// receiveBackup writes the files of a backup's stream below dir, safely on the
// disk, and gives its manifest, which they have been held against.
func receiveBackup(stream io.Reader, dir string) (*gateway.Backup, error) {
	in := tar.NewReader(stream)
	var got []gateway.BackupFile
	for {
		head, err := in.Next()
		switch {
		case err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF):
			return nil, fmt.Errorf("%w: it was cut short: %s did not come", gateway.ErrBackup, gateway.BackupManifest)
		case err != nil:
			return nil, cutShort("the next file", err)
		case head.Typeflag != tar.TypeReg:
			return nil, fmt.Errorf("%w: %q is no plain file", gateway.ErrBackup, head.Name)
		case head.Name == gateway.BackupManifest:
			return finishBackup(in, head.Size, dir, got)
		case !gateway.BackupName(head.Name):
			return nil, fmt.Errorf("%w: %q is no name of a file in a backup", gateway.ErrBackup, head.Name)
		}
		f, err := writeBackupFile(in, dir, head.Name, head.Size)
		if err != nil {
			return nil, err
		}
		got = append(got, f)
	}
}

func cutShort(what string, err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w: it was cut short at %s", gateway.ErrBackup, what)
	}
	var refused *net.OpError
	if errors.As(err, &refused) {
		return fmt.Errorf("the gateway ended the backup at %s: %w", what, refused.Err)
	}
	return err
}

// finishBackup reads the manifest and, if what came is what it says, writes it
// beside the files.
func finishBackup(in *tar.Reader, size int64, dir string, got []gateway.BackupFile) (*gateway.Backup, error) {
	if size > maxManifestBytes {
		return nil, fmt.Errorf("%w: %s of %d bytes", gateway.ErrBackup, gateway.BackupManifest, size)
	}
	text, err := io.ReadAll(in)
	if err != nil {
		return nil, cutShort(gateway.BackupManifest, err)
	}
	b, err := gateway.ParseBackup(text)
	if err != nil {
		return nil, err
	}
	if err := sameFiles(b.Files, got); err != nil {
		return nil, err
	}
	if head, err := in.Next(); err == nil {
		return nil, fmt.Errorf("%w: %q comes after %s", gateway.ErrBackup, head.Name, gateway.BackupManifest)
	} else if err != io.EOF {
		return nil, cutShort("its end", err)
	}
	// Folders first: where the manifest is, all of the rest is on the disk.
	for _, sub := range []string{ledger.StoreDir, gateway.VaultDir, "."} {
		if err := syncFolder(filepath.Join(dir, sub)); err != nil {
			return nil, fmt.Errorf("%w: %w", gateway.ErrBackup, err)
		}
	}
	if err := store.CreatePublic(filepath.Join(dir, gateway.BackupManifest), text); err != nil {
		return nil, err
	}
	return b, nil
}

// sameFiles wants what is there to be what the manifest says.
func sameFiles(want, got []gateway.BackupFile) error {
	said := make(map[string]gateway.BackupFile, len(want))
	for _, f := range want {
		said[f.Name] = f
	}
	for _, f := range got {
		switch w, ok := said[f.Name]; {
		case !ok:
			return fmt.Errorf("%w: %s is not in its %s", gateway.ErrBackup, f.Name, gateway.BackupManifest)
		case w.Size != f.Size:
			return fmt.Errorf("%w: %s has %d bytes, %s says %d", gateway.ErrBackup, f.Name, f.Size, gateway.BackupManifest, w.Size)
		case w.SHA256 != f.SHA256:
			return fmt.Errorf("%w: %s was changed: its SHA-256 is not that in %s", gateway.ErrBackup, f.Name, gateway.BackupManifest)
		}
		delete(said, f.Name)
	}
	for _, f := range want {
		if _, missing := said[f.Name]; missing {
			return fmt.Errorf("%w: %s is missing", gateway.ErrBackup, f.Name)
		}
	}
	return nil
}

// writeBackupFile writes a new file of so many bytes at name below dir, synced, and
// says what it has written. Only the file's own folder is made.
func writeBackupFile(r io.Reader, dir, name string, size int64) (f gateway.BackupFile, err error) {
	path := filepath.Join(dir, filepath.FromSlash(name))
	if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return f, err
	}
	out, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return f, fmt.Errorf("%w: %s comes twice", gateway.ErrBackup, name)
	}
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	sum := sha256.New()
	if _, err := io.CopyN(io.MultiWriter(out, sum), r, size); err != nil {
		return f, cutShort(name, err)
	}
	return gateway.BackupFile{Name: name, Size: size, SHA256: hex.EncodeToString(sum.Sum(nil))}, out.Sync()
}

func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// backupFiles is what lies in a backup's folder, its manifest left out, in order.
func backupFiles(dir string) (names []string, err error) {
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		name = filepath.ToSlash(name)
		switch {
		case d.IsDir() && (name == ledger.StoreDir || name == gateway.VaultDir), name == gateway.BackupManifest && d.Type().IsRegular():
			return nil
		case !d.Type().IsRegular() || !gateway.BackupName(name):
			return fmt.Errorf("%w: %s is nothing that a backup has", gateway.ErrBackup, name)
		}
		names = append(names, name)
		return nil
	})
	slices.Sort(names)
	return names, err
}
