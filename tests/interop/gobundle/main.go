// Checks evidence bundles with Go's standard library alone, written from docs/api/bundle.md, docs/wire.md and c2sp.org.
//
//	gobundle FILE     one bundle a line; prints "accept" or "reject: why" for each
//
// It works out signatures, cosignatures, trees, counters, terms, prices of pieces and energy and fees, rounding and
// totals. Keys that changed, counted events, guarantees and other charges it does not know, and says so: "unknown: what".
package main

import (
	"bufio"
	"fmt"
	"os"
)

// wrong is why a bundle is refused; unknown is what this program does not know.
type wrong string
type unknown string

func refuse(format string, values ...any) { panic(wrong(fmt.Sprintf(format, values...))) }

func must(holds bool, format string, values ...any) {
	if !holds {
		refuse(format, values...)
	}
}

func main() {
	file, err := os.Open(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 256<<20)
	for lines.Scan() {
		fmt.Println(verdict(lines.Bytes()))
	}
	if lines.Err() != nil {
		fmt.Fprintln(os.Stderr, lines.Err())
		os.Exit(2)
	}
}

func verdict(text []byte) (said string) {
	defer func() {
		switch why := recover().(type) {
		case nil:
		case wrong:
			said = "reject: " + string(why)
		case unknown:
			said = "unknown: " + string(why)
		default:
			said = fmt.Sprintf("reject: %v", why)
		}
	}()
	check(parse(text))
	return "accept"
}

func check(bundle object) {
	bundle.only("format keys statement previous versions logs proofs events signatures")
	must(bundle.text("format") == "tallystick/bundle/1", "another format")
	if len(bundle.list("events"))+len(bundle.list("signatures")) > 0 {
		panic(unknown("counted events and signatures under terms"))
	}
	keys := bundle.object("keys")
	keys.only("cosigner signer")
	signer, cosigner := readKey(keys.text("signer")), readKey(keys.text("cosigner"))
	must(signer.algorithm == 1 && cosigner.algorithm == 4, "keys of another kind")
	must(signer.name == cosigner.name && string(signer.raw) == string(cosigner.raw), "the cloud has one key")
	statement := bundle.object("statement")
	statement.only("head lines unbilled verdicts hash note")
	head := statement.object("head")
	sealed(statement, head, signer)
	chained(bundle.objects("previous"), head)
	terms := agreed(bundle.objects("versions"), head)
	logs := readLogs(bundle.objects("logs"), head, cosigner, terms)
	priced(statement, head, terms, logs)
	proven(bundle.objects("proofs"), statement.objects("lines"), logs)
}

// sealed: the head's hash, the cloud's signature over it, and the hashes in it.
func sealed(statement, head object, signer key) {
	hash := digest(head)
	must(statement.text("hash") == hash, "the hash is not the head's")
	want := fmt.Sprintf("%s\n%s %d\n%s\n", head.text("format"), head.text("agreement_id"), head.number("number"), hash)
	note := splitNote(statement.text("note"))
	must(len(note.lines) == 1, "a statement carries one signature")
	must(note.text == want, "the note is about another statement")
	note.signedBy(signer)
	for _, part := range []string{"lines", "unbilled", "verdicts"} {
		must(head.text(part+"_hash") == digest(statement.list(part)), "%s are not those that were hashed", part)
	}
	must(head.text("engine") == "1", "other rules")
	if len(statement.list("verdicts")) > 0 {
		panic(unknown("guarantees"))
	}
}

// chained: each head names the hash of the one before; numbers and periods follow one another.
func chained(previous []object, head object) {
	before := ""
	if len(previous) == 0 {
		must(head.number("number") == 1 && head.text("prev_hash") == "", "a first statement follows none")
	}
	all := append(append([]object{}, previous...), head)
	for at, one := range all {
		if at > 0 {
			must(one.text("prev_hash") == before, "statement %d does not follow the one before", one.number("number"))
			must(one.number("number") == all[at-1].number("number")+1, "a number is missing")
			follows := all[at-1].object("period").number("to_ms")
			must(one.object("period").number("from_ms") == follows, "periods do not follow one another")
			begins(all[at-1], one)
		}
		before = digest(one)
	}
}

// begins: the ranges of a statement begin where those of the one before say, with its counters.
func begins(before, head object) {
	for at, old := range before.objects("logs") {
		now := head.objects("logs")[at]
		must(now.text("log") == old.text("log"), "the logs are in another order")
		if head.number("since") == before.number("number") {
			must(now.number("from") == old.number("carry"), "a range does not begin where the last one says")
			must(digest(now.list("opening")) == digest(old.list("counters")), "the counters do not go on")
		}
	}
}

// agreed: the terms of each version, as the head names them by their hash.
func agreed(versions []object, head object) map[int64]object {
	stated := head.objects("versions")
	must(len(versions) == len(stated) && len(stated) > 0, "versions of the terms are missing")
	terms := map[int64]object{}
	for at, one := range versions {
		one.only("version first terms")
		text := one.text("terms")
		must(hexSum([]byte(text)) == stated[at].text("terms_hash"), "the terms are not those that were agreed on")
		same := one.number("version") == stated[at].number("version") && one.text("first") == stated[at].text("first")
		must(same, "another version")
		found := parse([]byte(text))
		must(string(canonical(map[string]any(found))) == text, "the terms have another form")
		terms[one.number("version")] = found
	}
	return terms
}
