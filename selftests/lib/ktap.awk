# SPDX-License-Identifier: GPL-2.0-only
#
# ktap.awk - adds up the KTAP of many test programs for selftests/run, which alone calls it. Between the
# programs' own lines stand the runner's:
#
#	#: expect ID	this program has to run		(ID is "RING/PROGRAM[ FS[ KERNEL]]")
#	#: begin ID	its lines follow
#	#: end ID RC	it ended with RC
#	#: fail ID - WHY	something that is no test program failed
#
# Prints what failed, with the command that runs it again, one line for each program, and at the end
# "N passed, N failed, N skipped". A program that was expected and did not end, ended with an error
# nobody reported, or gave another number of results than it planned, is a failure.

BEGIN {
	passed = failed = skipped = 0
	id = ""
}

function rerun(what, test,	part, n, cmd) {
	n = split(what, part, " ")
	cmd = "make check T=" part[1] (test == "" ? "" : "." test)
	if (n > 2)
		cmd = cmd " FS=" part[2] " K=" part[3]
	else if (n > 1)
		cmd = cmd " K=" part[2]
	return cmd
}

function fail(what, why, test) {
	failed++
	printf "FAIL %s: %s\n%s", what, why, notes
	if (test != "-")
		printf "     again: %s\n", rerun(what, test)
	notes = ""
	fflush()
}

function begin(what) {
	id = what
	plan = -1
	results = bad = good = skips = 0
	notes = ""
}

function end(what, rc,	lost) {
	delete expected[what]
	lost = plan < 0 || results != plan
	if (plan < 0)
		fail(what, "printed no plan (exit status " rc ")", "")
	else if (lost)
		fail(what, "planned " plan " tests and ran " results " (exit status " rc ")", "")
	else if (rc != 0 && bad == 0)
		fail(what, "exit status " rc " though no test failed", "")
	printf "%-36s %4d passed %3d failed %3d skipped\n", what, good, bad, skips
	fflush()
	id = ""
}

/^#: expect / {
	expected[substr($0, 11)] = 1
	next
}

/^#: begin / {
	if (id != "")
		end(id, "unknown: it never ended")
	begin(substr($0, 10))
	next
}

/^#: end / {
	rc = $NF
	line = substr($0, 8)
	sub(/ [0-9]+$/, "", line)
	if (line == id)
		end(line, rc)
	next
}

/^#: fail / {
	line = substr($0, 9)
	notes = ""
	cut = index(line, " - ")
	fail(substr(line, 1, cut - 1), substr(line, cut + 3), "-")
	next
}

id != "" && /^KTAP version/ { next }

id != "" && /^1\.\.[0-9]+/ {
	plan = substr($1, 4) + 0
	next
}

id != "" && /^ok [0-9]+/ {
	results++
	notes = ""
	if ($0 ~ /# SKIP/) {
		skips++
		skipped++
		reason = $0
		sub(/^ok [0-9]+ /, "", reason)
		printf "skip %s: %s\n", id, reason
	} else {
		good++
		passed++
	}
	next
}

id != "" && /^not ok [0-9]+/ {
	results++
	bad++
	line = $0
	sub(/^not ok [0-9]+ (- )?/, "", line)
	test = line
	sub(/ - .*/, "", test)
	fail(id, line, test ~ /^[A-Za-z0-9_.]+$/ ? test : "")
	next
}

id != "" && /^#/ {
	notes = notes "     " $0 "\n"
	next
}

{ print }

END {
	if (id != "")
		end(id, "unknown: it never ended")
	for (what in expected)
		fail(what, "did not run to its end", "")
	if (passed + failed + skipped == 0)
		print "no test matched"
	printf "%d passed, %d failed, %d skipped\n", passed, failed, skipped
	exit failed > 0 || passed + skipped == 0
}
