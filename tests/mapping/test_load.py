"""A mapping file that is wrong is told at its place, with the mend."""

from __future__ import annotations

from pathlib import Path

import pytest

from detector.mapping.catalogue import check_mappings, packaged_mappings
from tests.mapping.samples import BASE, CURRENCIES, loaded, only, place, read

EVENT = "event: {type: deposit, amount: .amount}"


def test_the_sample_is_sound(tmp_path: Path) -> None:
    assert loaded(tmp_path, BASE).id == "sample"


@pytest.mark.parametrize(
    ("old", "new", "needle", "message"),
    [
        # Keys and names
        ("money:", "mony:", "mony", 'unknown key "mony"; did you mean "money"?'),
        ("id: sample", "id: other", "^other", 'the id is "other" but the file "sample"'),
        ("id: sample", "id: Sample", "^Sample", "an id is 1 to 63 small letters"),
        ("title: A sample\n", "", "id", "`title` is missing"),
        ("title: A sample", "title: ''", "^''", "`title` is empty"),
        ("id: sample", "id: sample\nid: sample", "id: sample\n^id", 'the key "id" comes twice'),
        # Fields of events
        (
            "amount: .amount",
            "ammount: .amount",
            "ammount",
            'a deposit has no field "ammount"; did you mean "amount"?',
        ),
        (
            "type: deposit, amount: .amount",
            "type: deposit",
            "{type",
            "a deposit needs `amount`, here or in `common`",
        ),
        ("  player: .player\n", "", "{type", "a deposit needs `player`"),
        ("type: deposit", "type: depozit", "depozit", 'no event type "depozit"; did you mean "deposit"?'),
        ("type: deposit", "type: session_summary", "session_summary", 'no event type "session_summary"'),
        ("type: deposit, ", "", "{amount", "an event needs its `type`"),
        (
            "  source: feed",
            "  source: feed\n  sesion: .s",
            "sesion",
            'no event has a field "sesion"; did you mean "session"?',
        ),
        ("  source: feed", "  source: feed\n  stake: .s", "stake", "no event of this file has a `stake`"),
        (
            EVENT,
            "event: {type: deposit, amount: .amount, stake: .s}",
            "stake",
            'a deposit has no field "stake"',
        ),
        # Paths and constants
        (
            "player: .player",
            "player: player",
            "player: ^player",
            '`player` cannot be the same in every event; did you mean ".player"?',
        ),
        ("id: .id", "id: id", "  id: ^id", "`id` cannot be the same in every event"),
        ("amount: .amount", "amount: amount", "amount: ^amount", 'a path starts with a dot: ".amount"'),
        ("player: .player", "player: cust.no", "cust.no", 'a path starts with a dot: ".cust.no"'),
        (EVENT, EVENT.replace("}", ", method: pay.method}"), "pay.method}", "this is {value: pay.method}"),
        (EVENT, EVENT.replace("}", ", method: {value: pay.method}}"), None, None),
        (EVENT, EVENT.replace("}", ", method: 'pay.method'}"), None, None),
        ("amount: .amount", "amount: .a..b", ".a..b", '".a..b" is no path'),
        (
            "event: {type: deposit, amount: .amount}",
            "event:\n      type: deposit\n      amount: .a[0].b",
            ".a[0].b",
            'did you mean ".a.0.b"?',
        ),
        ("amount: .amount", "amount: ..amount", "..amount", "there is no record around the message"),
        ("id: .id", 'id: "{.id}-{x}"', "{^x}", '"x" is no path'),
        ("id: .id", 'id: "{.id}-}"', "-^}", "a lone }"),
        ("id: .id", 'id: "{{.id}}"', '"{{', "no path in here"),
        ("amount: .amount", "amount: {from: []}", "[]", "name at least one path"),
        ("amount: .amount", "amount: {from: .a, value: 1}", "{from", "one of `from`, `sum` or `value`"),
        ("amount: .amount", "amount: {frm: .a}", "frm", 'no key "frm"; did you mean "from"?'),
        # Money
        (
            "money: {unit: major}\n",
            "",
            ".amount",
            "`amount` is money: say `unit: major` (12.50) or `unit: minor` (1250)",
        ),
        ("unit: major", "unit: cents", "cents", "`unit` is major, minor, or a number of decimals"),
        ("unit: major", "round: up", "{round", "`money` needs `unit`"),
        ("unit: major", "unit: major, round: bankers", "bankers", "`round` is one of half_even"),
        ("unit: major", "unit: major, sign: ignore", "ignore", "`sign` is one of drop, flip"),
        ("unit: major", "unit: major, decimals: {ISK: 2}", "{unit", "it goes with `unit: minor`"),
        ("unit: major", "unit: minor, decimals: {ISK: two}", "two", "a whole number from 0 to 18"),
        ("currency: .currency", "currency: CAX", "CAX", '"CAX" is no currency'),
        # Times
        ("format: rfc3339", "format: epoch", "epoch", "`format` is one of rfc3339, seconds"),
        ("format: rfc3339", 'format: "%d/%m/%Y"', '"%d', "this format says no zone"),
        ("format: rfc3339", 'format: "%H:%M", zone: UTC', '"%H', "no year"),
        ("format: rfc3339", 'format: "%Y %m %Y %z"', '"%Y', "name each part once"),
        ("unit: major", "unit: 0189", "0189", "`unit` is major, minor"),
        ("format: rfc3339", 'format: "%Y %q", zone: UTC', '"%Y', '"%q" is not read'),
        ("format: rfc3339", "zone: Europe/Valetta", "Europe/Valetta", 'no zone "Europe/Valetta"'),
        ("format: rfc3339", "zone: America/Torronto", "America/Torronto", 'did you mean "America/Toronto"?'),
        # Cases
        (EVENT, "evnt: {}", "evnt", 'a case has no key "evnt"; did you mean "event"?'),
        (EVENT, "when: {.a: b}", "when", "a case does one thing"),
        (EVENT, EVENT + "\n    drop: no", "event", "a case does one thing"),
        (EVENT, "drop: ''", "''", "`drop` has a reason"),
        (EVENT, "events: []", "[]", "`events` is a list"),
        (EVENT, EVENT + "\n  - drop: never reached", "event", "put it last"),
        (EVENT, "when: {a: b}\n    " + EVENT, "{^a", '"a" is no path'),
        (EVENT, "when: {.a: {abov: 1}}\n    " + EVENT, "abov", 'did you mean "above"?'),
        (EVENT, "when: {.a: {above: x}}\n    " + EVENT, "above: ^x", "a number is needed here"),
        (EVENT, "when: {.a: null}\n    " + EVENT, "null", "{present: false} asks"),
        (EVENT, "when: {}\n    " + EVENT, "{}", "`when` is a mapping of paths"),
        (EVENT, "each: .list\n    " + EVENT, "{type", "needs an `id` of its own"),
        ("common:", "each: .list\ncommon:", None, None),
        ("common:\n  id: .id", "each: .list\ncommon:\n  id: $.id", "$.id", "the same for all records"),
        # Tables
        ("source: feed", "source: {from: .s, table: sources}", "sources", 'no table "sources" in `tables`'),
        ("source: feed", "source: {from: .s, else: pass}", "else: ^pass", "`else` belongs to a `table`"),
        (
            "source: feed",
            "source: {from: .s, table: {a: b}, else: keep}",
            "keep",
            "`else` is one of refuse, drop, omit, pass",
        ),
        (
            "type: deposit",
            "type: {from: .t, table: {a: deposit, b: betting}}",
            "betting",
            'no event type "betting"',
        ),
        ("type: deposit", "type: {from: .t, table: {a: deposit, b: bet}}", "{type", "a bet needs `stake`"),
        (
            "type: deposit",
            "type: {from: .t, table: {a: deposit}, else: pass}",
            "else: ^pass",
            "the `else` of a type",
        ),
        ("type: deposit", "type: .t", ".t", "`type` is a type of event, or {from: .path, table"),
        # Closed sets, zones and other constants
        (EVENT, "event: {type: limit_change, limit: deposits}", "deposits", 'did you mean "deposit"?'),
        (
            EVENT,
            "event: {type: contact, topic: {from: .t, table: {a: disstress}}}",
            "disstress",
            'did you mean "distress"?',
        ),
        (EVENT, "event: {type: player_profile, timezone: Toronto}", "Toronto", 'no zone "Toronto"'),
        (
            EVENT,
            "event: {type: identity_check, outcome: passed, over_age: yes}",
            "yes",
            "must be true or false",
        ),
        (
            EVENT,
            "event: {type: limit_change, limit: time, share: {from: .s, unit: ratio}}",
            "ratio",
            "`unit: percent`",
        ),
        # Sums
        (EVENT, "event: {type: deposit, amount: {sum: [.a]}}", "[.a]", "two paths or more"),
        (EVENT, "event: {type: deposit, amount: {sum: [.a, .b], default: 0}}", "0", "give it to a part"),
        ("source: feed", "source: {sum: [.a, .b]}", "[.a", "only money is added up"),
        # Corrections
        (
            EVENT,
            "event: {type: void, target: .t, voided: {type: bet, id: .i}}",
            "bet, ^id: .i",
            "is the correction's own",
        ),
        (
            EVENT,
            "event: {type: void, target: .t, voided: {type: void}}",
            "{type: ^void}",
            'no event type "void"',
        ),
        (EVENT, "event: {type: void, target: .t}", "{type", "a void needs `voided`"),
    ],
)
def test_a_fault_is_told_at_its_place(
    old: str, new: str, needle: str | None, message: str | None, tmp_path: Path
) -> None:
    assert old in BASE
    text = BASE.replace(old, new, 1)
    reading = read(tmp_path, text)
    told = [finding for finding in reading.findings if message and message in finding.message]
    if needle is None:
        assert not reading.findings
        return
    assert reading.found is None
    assert told, [str(finding) for finding in reading.findings]
    assert (told[0].line, told[0].column) == place(text, needle)
    assert told[0].path.endswith("sample.yml")


def test_every_fault_is_told_at_once_and_each_once(tmp_path: Path) -> None:
    text = BASE.replace("major", "mayor").replace("rfc3339", "rfc").replace("amount: .", "ammount: .")
    messages = [finding.message for finding in read(tmp_path, text).findings]
    assert len(messages) == len(set(messages)) >= 3


@pytest.mark.parametrize(
    ("name", "old", "new", "told"),
    [
        ("aggregator", "money: {unit: major", "money: {unit: mayor", "`unit` is major"),
        ("aggregator", "money: {unit: major", "money: {unt: major", '`money` has no key "unt"'),
        ("aggregator", "money: {unit: major}", "money: {unit: major, round: sometimes}", "`round` is one of"),
        ("aggregator", "money: {unit: major}", "money:", "`money` is empty"),
        ("aggregator", "money:", "mony:", 'did you mean "money"?'),
        ("aggregator", "zone: Europe/Malta", "zone: Europe/Maltta", "no zone"),
        ("topics", "tables:", "tabels:", 'did you mean "tables"?'),
        ("topics", "  products: {slot", "  produts: {slot", 'no table "products" in `tables`'),
        ("topics", "  periods: {daily: 24h, weekly: 7d, monthly: month}", "  periods: daily", "a table is a"),
        ("topics", "common:", "comon:", 'did you mean "common"?'),
        ("topics", "  player: .playerId", "  playr: .playerId", 'did you mean "player"?'),
        ("topics", "  ts: .timestamp\n", "", "every event needs `ts`: give it in `common`"),
        ("topics", "cases:", "case:", 'did you mean "cases"?'),
        ("provider", "each: .wagers", "each: wagers", "no path"),
        ("provider", "stake: .stake", "stke: .stake", 'did you mean "stake"?'),
        ("stripe", "{type: refund}", "{type: refnd}", 'did you mean "refund"?'),
        ("stripe", "{type: deposit, amount", "{type: deposit, amout", 'did you mean "amount"?'),
        ("stripe", "  amount: .data.object.amount\n", "", "a deposit_failed needs `amount`"),
    ],
)
def test_one_slip_is_told_once_and_not_again_wherever_it_tells(
    name: str, old: str, new: str, told: str, tmp_path: Path
) -> None:
    path = packaged_mappings() / f"{name}.yml"
    text = path.read_text("utf-8")
    assert old in text
    spoilt = tmp_path / path.name
    spoilt.write_text(text.replace(old, new, 1), "utf-8")
    findings = check_mappings([spoilt], CURRENCIES)
    assert told in findings[0].message
    assert len(findings) == (2 if "deposit_failed" in told else 1), [str(finding) for finding in findings]


def test_a_format_of_a_field_is_no_worse_for_a_wrong_zone_of_all(tmp_path: Path) -> None:
    text = BASE.replace("format: rfc3339", "zone: Europe/Maltta").replace(
        "ts: .at", 'ts: {from: .at, format: "%Y"}'
    )
    assert "no zone" in only(read(tmp_path, text)).message


def test_an_event_that_cannot_be_read_makes_no_field_of_common_idle(tmp_path: Path) -> None:
    assert "no event type" in only(read(tmp_path, BASE.replace("type: deposit", "type: depozit"))).message


def test_types_that_need_the_same_are_told_together(tmp_path: Path) -> None:
    table = "type: {from: .t, table: {a: bet, b: bonus, c: withdrawal}}"
    text = BASE.replace("type: deposit, amount: .amount", f"{table}, stake: .s, payout: .p")
    assert only(read(tmp_path, text)).message == "a bonus or withdrawal needs `amount`, here or in `common`"


def test_yaml_that_hides_something_is_refused(tmp_path: Path) -> None:
    assert "anchors" in only(read(tmp_path, BASE.replace("feed", "&a feed"))).message
    assert "a mapping file has at most" in only(read(tmp_path, "#" * 70_000)).message
    assert "a mapping file is a mapping of keys" in only(read(tmp_path, "- a\n")).message


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    from detector.mapping.load import read_mapping

    assert only(read_mapping(tmp_path / "none.yml", CURRENCIES)).message == "no such file"
