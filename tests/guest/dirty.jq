# SPDX-License-Identifier: GPL-2.0-only
#
# What 'xftrace dirty' counts, counted once more from its own list of writes.
#
#	jq -rn --slurpfile write W --slurpfile page P ... -f dirty.jq
#
# Each file is the output of 'dirty --json --tracer --by KIND', of one session.

def page_of: .[:-3];
# [key, page] to [key, writes, different pages]
def count: group_by(.[0]) | map([.[0][0], length, (map(.[1]) | unique | length)]);
def verdict($name; $ours; $theirs):
	if $ours == $theirs and ($ours | length) > 0 then "ok \($name)"
	else "not ok \($name): \(($theirs - $ours)[:3]), not \(($ours - $theirs)[:3])"
	end;

($write[0].rows) as $w
| ($w | map(.time_ns) | min) as $first
| ($w | map([(.address | page_of), 0]) | count | map(.[:2])) as $pages
| verdict("dirty: the hottest pages"; $pages;
	$page[0].rows | map([(.page | page_of), .writes]) | sort),
  verdict("dirty: the hottest come first"; $page[0].rows | map(-.writes);
	$page[0].rows | map(-.writes) | sort),
  verdict("dirty: pages written once"; $pages | map(select(.[1] == 1)[0]);
	$once[0].rows | map(.page | page_of) | sort),
  verdict("dirty: pages of each function";
	$w | map([.function, (.address | page_of)]) | count;
	$call[0].rows | map([.function, .writes, .pages]) | sort),
  verdict("dirty: what pages are"; $w | map([.type, 0]) | count | map(.[:2]);
	$type[0].rows | group_by(.type) | map([.[0].type, (map(.writes) | add)])),
  verdict("dirty: the working set over time";
	$w | map([((.time_ns - $first) / 1e8 | floor), (.address | page_of)]) | count;
	$time[0].rows | map([(.seconds * 10 | round), .writes, .pages])),
  verdict("dirty: each page is new once"; [$pages | length];
	[$time[0].rows | map(.new) | add])
