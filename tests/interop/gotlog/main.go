// Checks what Tallystick publishes with the code behind Go's checksum database, golang.org/x/mod/sumdb.
//
//	gotlog folder DIR     a log written by `tally-cloud logs export-tiles`: note, tiles, proofs at many sizes
//	gotlog cases FILE     proofs and notes as JSON; prints one "accept" or "reject" a line
//
// Debian: apt-get install golang-go golang-golang-x-mod-dev; GO111MODULE=off GOPATH=/usr/share/gocode go build
package main

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

func main() {
	if len(os.Args) != 3 {
		fail("usage: gotlog folder DIR | cases FILE")
	}
	switch os.Args[1] {
	case "folder":
		folder(os.Args[2])
	case "cases":
		cases(os.Args[2])
	default:
		fail("unknown word " + os.Args[1])
	}
}

func fail(what string) {
	fmt.Fprintln(os.Stderr, what)
	os.Exit(1)
}

func check(err error) {
	if err != nil {
		fail(err.Error())
	}
}

// checkpoint reads origin, size and root of a note's text; tlog.ParseTree knows only the checksum database's own words.
func checkpoint(text string) (string, tlog.Tree, error) {
	lines := strings.Split(text, "\n")
	if len(lines) != 4 || lines[3] != "" {
		return "", tlog.Tree{}, fmt.Errorf("no checkpoint")
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil || size < 0 || lines[1] != strconv.FormatInt(size, 10) {
		return "", tlog.Tree{}, fmt.Errorf("no size")
	}
	root, err := tlog.ParseHash(lines[2])
	return lines[0], tlog.Tree{N: size, Hash: root}, err
}

// files serves tiles from a folder: C2SP's paths are Go's without the height.
type files struct{ folder string }

func (f files) Height() int { return 8 }

func (f files) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var found [][]byte
	for _, tile := range tiles {
		path := strings.Replace(tile.Path(), "tile/8/", "tile/", 1)
		data, err := os.ReadFile(filepath.Join(f.folder, path))
		if err != nil {
			return nil, err
		}
		found = append(found, data)
	}
	return found, nil
}

func (f files) SaveTiles([]tlog.Tile, [][]byte) {}

func folder(path string) {
	vkey, err := os.ReadFile(filepath.Join(path, "vkey"))
	check(err)
	verifier, err := note.NewVerifier(strings.TrimSpace(string(vkey)))
	check(err)
	raw, err := os.ReadFile(filepath.Join(path, "checkpoint"))
	check(err)
	opened, err := note.Open(raw, note.VerifierList(verifier))
	check(err)
	origin, tree, err := checkpoint(opened.Text)
	check(err)
	if origin != verifier.Name() {
		fail("the checkpoint is of another log")
	}
	reader := tlog.TileHashReader(tree, files{path})
	root, err := tlog.TreeHash(tree.N, reader)
	check(err)
	if root != tree.Hash {
		fail("the tiles do not lead to the signed root")
	}
	proofs := 0
	for old := int64(1); old <= tree.N; old += 1 + tree.N/97 {
		before, err := tlog.TreeHash(old, reader)
		check(err)
		proof, err := tlog.ProveTree(tree.N, old, reader)
		check(err)
		check(tlog.CheckTree(proof, tree.N, tree.Hash, old, before))
		record, err := tlog.ProveRecord(tree.N, old-1, reader)
		check(err)
		leaf, err := reader.ReadHashes([]int64{tlog.StoredHashIndex(0, old-1)})
		check(err)
		check(tlog.CheckRecord(record, tree.N, tree.Hash, old-1, leaf[0]))
		proofs += 2
	}
	fmt.Printf("%s: size %d, %d proofs, %d signatures, %d of others\n", origin, tree.N, proofs, len(opened.Sigs), len(opened.UnverifiedSigs))
}

// one is a case: a proof or a note, with everything its check needs (hashes in hex).
type one struct {
	Kind  string   `json:"kind"`
	Size  int64    `json:"size"`
	Index int64    `json:"index"`
	Old   int64    `json:"old"`
	Leaf  string   `json:"leaf"`
	Root  string   `json:"root"`
	Was   string   `json:"was"`
	Path  []string `json:"path"`
	Note  string   `json:"note"`
	Vkey  string   `json:"vkey"`
}

func cases(path string) {
	raw, err := os.ReadFile(path)
	check(err)
	var all []one
	check(json.Unmarshal(raw, &all))
	for _, each := range all {
		if verdict(each) == nil {
			fmt.Println("accept")
		} else {
			fmt.Println("reject")
		}
	}
}

func verdict(each one) error {
	switch each.Kind {
	case "inclusion":
		path, err := hashes(each.Path)
		if err != nil {
			return err
		}
		return guarded(func() error {
			return tlog.CheckRecord(path, each.Size, hash(each.Root), each.Index, hash(each.Leaf))
		})
	case "consistency":
		path, err := hashes(each.Path)
		if err != nil {
			return err
		}
		return guarded(func() error {
			return tlog.CheckTree(path, each.Size, hash(each.Root), each.Old, hash(each.Was))
		})
	case "note":
		verifier, err := note.NewVerifier(each.Vkey)
		if err != nil {
			return err
		}
		opened, err := note.Open([]byte(each.Note), note.VerifierList(verifier))
		if err != nil {
			return err
		}
		_, _, err = checkpoint(opened.Text)
		return err
	case "cosignature":
		verifier, err := newCosigner(each.Vkey)
		if err != nil {
			return err
		}
		_, err = note.Open([]byte(each.Note), note.VerifierList(verifier))
		return err
	}
	return fmt.Errorf("unknown kind")
}

// guarded: tlog panics where its caller should have compared sizes first; for us that is a refusal.
func guarded(run func() error) (err error) {
	defer func() {
		if recover() != nil {
			err = fmt.Errorf("panic")
		}
	}()
	return run()
}

func hash(text string) (found tlog.Hash) {
	data, _ := hex.DecodeString(text)
	copy(found[:], data)
	return found
}

func hashes(texts []string) ([]tlog.Hash, error) {
	var found []tlog.Hash
	for _, text := range texts {
		if len(text) != 64 {
			return nil, fmt.Errorf("no hash")
		}
		found = append(found, hash(text))
	}
	return found, nil
}

// cosigner is C2SP's tlog-cosignature v1 as a note.Verifier: algorithm 4, a timestamp before the signature.
type cosigner struct {
	name string
	hash uint32
	key  ed25519.PublicKey
}

func newCosigner(vkey string) (note.Verifier, error) {
	parts := strings.SplitN(vkey, "+", 3)
	if len(parts) != 3 {
		return nil, fmt.Errorf("no key")
	}
	sum, err := strconv.ParseUint(parts[1], 16, 32)
	if err != nil {
		return nil, err
	}
	raw, err := base64.StdEncoding.DecodeString(parts[2])
	if err != nil || len(raw) != 33 || raw[0] != 4 {
		return nil, fmt.Errorf("no cosigner's key")
	}
	return cosigner{parts[0], uint32(sum), ed25519.PublicKey(raw[1:])}, nil
}

func (c cosigner) Name() string    { return c.name }
func (c cosigner) KeyHash() uint32 { return c.hash }
func (c cosigner) Verify(text, signature []byte) bool {
	if len(signature) != 72 {
		return false
	}
	seconds := binary.BigEndian.Uint64(signature[:8])
	message := fmt.Sprintf("cosignature/v1\ntime %d\n%s", seconds, text)
	return ed25519.Verify(c.key, []byte(message), signature[8:])
}
