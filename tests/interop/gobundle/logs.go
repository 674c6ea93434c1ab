package main

// The logs of a bundle: the whole range under signed and cosigned roots, and counters without a gap.

import (
	"bytes"
	"strings"
)

type counter struct {
	src, ep string
	n       int64
}

// earlier: the newest counters that a gateway's logs before have shown, and whether from their first leaves on.
type earlier struct {
	newest map[[2]string]int64
	whole  bool
}

type log struct {
	gateway string
	from    int64
	to      int64
	tree    tree
	newest  string
	leaves  map[int64]string
	records map[int64]object
}

func readLogs(shown []object, head object, cosigner key, terms map[int64]object) []*log {
	stated := head.objects("logs")
	must(len(shown) == len(stated), "the logs are not those of the statement")
	devices := map[string]bool{}
	for _, one := range terms {
		for _, device := range one.list("devices") {
			devices[device.(string)] = true
		}
	}
	made := []*log{}
	ends := map[string]*earlier{}
	for at, one := range shown {
		made = append(made, readLog(one, stated[at], head.text("tenant"), cosigner, devices, ends))
	}
	return made
}

func readLog(
	shown, stated object, tenant string, cosigner key, devices map[string]bool, ends map[string]*earlier,
) *log {
	shown.only("origin vkey frontier leaves notes outside witnessed hand_overs revocations")
	if shown["hand_overs"] != nil || shown["revocations"] != nil {
		panic(unknown("keys that changed"))
	}
	origin := stated.text("origin")
	parts := strings.Split(origin, "/")
	must(len(parts) == 4 && parts[0] == "tallystick" && parts[1] == tenant, "no log of the supplier")
	must(shown.text("origin") == origin && hexSum([]byte(origin)) == stated.text("log"), "another log")
	gateway := readKey(shown.text("vkey"))
	must(gateway.algorithm == 1 && gateway.name == origin, "the key is another gateway's")
	made := &log{
		gateway: parts[2], from: stated.number("from"), to: stated.number("to"),
		leaves: map[int64]string{}, records: map[int64]object{},
	}
	grow(made, shown, stated, gateway, cosigner)
	count(made, stated, devices, parts[3] != "1", ends)
	outside(made, shown, stated)
	for _, one := range shown.optional("witnessed") {
		splitNote(one.text("note")).signedBy(gateway)
	}
	return made
}

func (o object) optional(name string) []object {
	if o[name] == nil {
		return nil
	}
	return o.objects(name)
}

// grow: the root at every receipt and at the end, from the frontier and all leaves of the range.
func grow(made *log, shown, stated object, gateway, cosigner key) {
	made.tree = tree{made.from, shown.hashes("frontier")}
	peaks := 0
	for size := made.from; size > 0; size &= size - 1 {
		peaks++
	}
	must(len(made.tree.peaks) == peaks, "the frontier has another size")
	leaves, notes, receipts := shown.list("leaves"), shown.list("notes"), stated.objects("receipts")
	must(int64(len(leaves)) == made.to-made.from, "leaves are missing")
	must(len(notes) == len(receipts) && len(receipts) > 0, "checkpoints are missing")
	ends := map[int64]bool{made.to: true}
	for _, cut := range stated.list("cuts") {
		ends[cut.(int64)] = true
	}
	for at, receipt := range receipts {
		size := receipt.number("size")
		must(size >= made.tree.size && size <= made.to, "a receipt lies outside the range")
		for made.tree.size < size {
			made.tree.add(made.leaf(leaves[made.tree.size-made.from]))
		}
		made.newest = notes[at].(string)
		note := splitNote(made.newest)
		must(len(note.lines) == 2, "a checkpoint carries two signatures")
		note.signedBy(gateway)
		must(note.cosignedBy(cosigner) == receipt.number("seconds"), "the cosignature is of another time")
		origin, signed, root := note.checkpoint()
		must(origin == gateway.name && signed == size && bytes.Equal(root, made.tree.root()), "the leaves do not give the root")
		delete(ends, size)
	}
	must(len(ends) == 0 && made.tree.size == made.to, "a cosignature at a cut or at the end is missing")
	must(bytes.Equal(made.tree.root(), unhex(stated.text("root"))), "the root is not the statement's")
}

// leaf: the hash of a leaf, kept under its index when its text is shown.
func (l *log) leaf(shown any) []byte {
	if text, is := shown.(string); is {
		l.leaves[l.tree.size] = text
		l.records[l.tree.size] = parse([]byte(text))
		must(string(canonical(map[string]any(l.records[l.tree.size]))) == text, "a leaf is not in its one form")
		return leafHash([]byte(text))
	}
	hidden := object(shown.(map[string]any))
	hidden.only("hash")
	return unhex(hidden.text("hash"))
}

// count: in each boot the counters of a device go up by one, from 1.
func count(made *log, stated object, devices map[string]bool, follows bool, ends map[string]*earlier) {
	last, newest, begun := map[[2]string]int64{}, map[string]counter{}, map[[2]string]bool{}
	for _, one := range stated.objects("opening") {
		found := counter{one.text("src"), one.text("ep"), one.number("n")}
		last[[2]string{found.src, found.ep}], newest[found.src] = found.n, found
		begun[[2]string{found.src, found.ep}] = true
	}
	carried := ""
	before, held := ends[made.gateway]
	if !held {
		before = &earlier{map[[2]string]int64{}, true}
		ends[made.gateway] = before
	}
	entryZero := follows && made.from > 0
	for index := made.from; index <= made.to; index++ {
		if index == stated.number("carry") {
			carried = counters(newest)
		}
		record, shown := made.records[index]
		if !shown {
			continue
		}
		src, ep, n := record.text("src"), record.text("ep"), record.number("n")
		must(devices[src] || src == made.gateway, "a leaf of %s, which is no device of this agreement", src)
		place := [2]string{src, ep}
		old, known := before.newest[place]
		again := follows && !begun[place] && known && n <= old+1
		again = again || held && !begun[place] && !known && !before.whole && src == made.gateway
		second := entryZero && src == made.gateway && n == 2 && last[place] == 0
		must(n == last[place]+1 || again || second, "%s counts %d behind %d: a record is missing or hidden", src, n, last[place])
		entryZero = entryZero && !second
		last[place], newest[src], begun[place] = n, counter{src, ep, n}, true
	}
	must(carried == string(canonical(stated.list("counters"))), "the counters at carry do not follow from the leaves")
	for place, n := range last {
		before.newest[place] = n
	}
	before.whole = before.whole && made.from == 0
}

func counters(newest map[string]counter) string {
	names := object{}
	for src := range newest {
		names[src] = nil
	}
	made := []any{}
	for _, src := range sorted(names) {
		made = append(made, map[string]any{"src": src, "ep": newest[src].ep, "n": newest[src].n})
	}
	return string(canonical(made))
}

// outside: leaves from before the range, each included in the tree at its end.
func outside(made *log, shown, stated object) {
	due := stated.list("outside")
	found := shown.objects("outside")
	must(len(due) == len(found), "leaves from before the range are missing")
	for at, one := range found {
		one.only("index leaf path")
		index, text := one.number("index"), one.text("leaf")
		must(index == due[at].(int64) && index < made.from, "another leaf from before the range")
		must(included(index, made.to, leafHash([]byte(text)), one.hashes("path"), made.tree.root()), "an outside leaf is not in the tree")
		made.leaves[index], made.records[index] = text, parse([]byte(text))
	}
}
