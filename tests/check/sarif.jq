# SPDX-License-Identifier: GPL-2.0-only
#
# What SARIF 2.1.0 asks of a log, as far as ours have it: prints what is wrong.
# An object may hold nothing else than what is named here.

def holds($where; $required; $allowed):
	if type != "object" then "\($where): \(type), not an object"
	else
		($required - keys)[] as $k | "\($where): has no \($k)"
	end,
	(objects | (keys - $required - $allowed)[] as $k |
		"\($where): what is \($k)?");
def is_text($where): select(type != "string" or . == "") | "\($where): no text";
def message($where): holds($where; ["text"]; []), (.text | is_text($where));
def level($where):
	select(IN("none", "note", "warning", "error") | not) |
	"\($where): is no level: \(.)";
# A reference that is relative has no colon before its first slash.
def uri($where):
	select(type != "string" or
		(test("^([A-Za-z0-9._~!$&'()*+,;=@-]|%[0-9A-Fa-f]{2})+(/|$)") | not)) |
	"\($where): is no URI: \(.)";

def rule($where):
	holds($where; ["id", "shortDescription", "fullDescription",
		"defaultConfiguration"]; []),
	(.id | is_text($where)),
	(.shortDescription | message($where)),
	(.fullDescription | message($where)),
	(.defaultConfiguration | holds($where; ["level"]; []),
		(.level | level($where)));

def logical($where):
	holds($where; ["name", "kind"]; []),
	(.name | is_text($where)),
	(.kind | select(. != "function") | "\($where): what kind is \(.)?");

def location($where):
	holds($where; ["physicalLocation"]; ["logicalLocations"]),
	(.physicalLocation |
		holds($where; ["artifactLocation", "region"]; []),
		(.artifactLocation | holds($where; ["uri"]; []),
			(.uri | uri($where))),
		(.region | holds($where; ["startLine"]; []),
			(.startLine | select(type != "number" or . < 1) |
				"\($where): no line: \(.)"))),
	((.logicalLocations // [])[] | logical($where));

def result($where; $rules):
	holds($where; ["ruleId", "ruleIndex", "level", "message", "locations"];
		["properties"]),
	(select($rules[.ruleIndex].id != .ruleId) |
		"\($where): rule \(.ruleIndex) is not \(.ruleId)"),
	(.level | level($where)),
	(.message | message($where)),
	(.locations[] | location($where)),
	(.properties | select(type != "object") | "\($where): its properties");

holds("log"; ["$schema", "version", "runs"]; []),
(select(.version != "2.1.0") | "version \(.version)"),
(select(.runs | length != 1) | "not one run"),
(.runs[0] |
	holds("run"; ["tool", "invocations", "results"]; []),
	(.tool | holds("tool"; ["driver"]; [])),
	(.tool.driver | holds("driver"; ["name", "version", "rules"]; []),
		(.name, .version | is_text("driver")),
		(select((.rules | map(.id) | unique | length) != (.rules | length)) |
			"rules: two of one id"),
		(.rules | to_entries[] | .key as $n | .value | rule("rule \($n)"))),
	(.invocations[] | holds("invocation"; ["executionSuccessful"]; []),
		(.executionSuccessful | select(type != "boolean") |
			"executionSuccessful: \(.)")),
	.tool.driver.rules as $rules |
	(.results | to_entries[] | .key as $n | .value | result("result \($n)"; $rules)))
