from radiod.core.cluster import claim_mirror
from radiod.core.cluster.claim_mirror import ClaimMirror
from radiod.core.cluster.claim_records import ClaimRecord, write_claim
from radiod.core.cluster.ports import Stored


def record(seq, key, value=b"x", about="part"):
    return Stored(f"c.{about}.{key}", seq, 0, write_claim(ClaimRecord(about, key, value, 1, str(seq))))


def mirror_of(*records):
    mirror = ClaimMirror(lambda: None)
    for one in records:
        mirror.apply(one)
    return mirror


def test_the_newest_counts_in_whatever_order_they_come():
    mirror = mirror_of(record(3, "a", b"3"), record(1, "a", b"1"), record(2, "a", None))
    assert mirror.get("part", "a").value == b"3"
    assert mirror.revision("c.part.a") == 3


def test_an_end_is_remembered_by_its_number():
    mirror = mirror_of(record(1, "a"), record(2, "a", None), record(1, "a"))
    assert mirror.get("part", "a") is None
    assert (len(mirror), mirror.revision("c.part.a"), mirror.latest) == (0, 2, 0)


def test_the_oldest_is_the_one_that_has_not_changed_for_longest():
    mirror = mirror_of(record(1, "a"), record(2, "b"), record(3, "a"))
    assert mirror.oldest() == ("c.part.b", 2)
    assert mirror.latest == 3
    assert ClaimMirror(lambda: None).oldest() is None


def test_a_record_that_is_about_another_claim_than_the_last_one_there_takes_its_place():
    """Nobody writes that; whoever can publish may."""
    mirror = mirror_of(record(1, "a"), record(2, "b"))
    for seq, key in ((3, "b"), (4, "c"), (5, "d")):
        mirror.apply(record(seq, key)._replace(subject="c.part.a"))
    assert [claim.key for claim in mirror.of("part")] == ["d"]
    mirror.apply(record(6, "b", None))
    mirror.apply(record(7, "d", None)._replace(subject="c.part.a"))
    assert (list(mirror.of("part")), len(mirror)) == ([], 0)


def test_ends_have_a_bound_once_the_mirror_is_whole_behind_them():
    many = claim_mirror.MAX_GONE + 5
    mirror = mirror_of(*[record(n, str(n), None) for n in range(1, many + 1)])
    assert mirror.revision("c.part.1") == 1
    mirror.whole_to = many
    mirror.apply(record(many + 1, "one more", None))
    assert (mirror.revision("c.part.1"), mirror.revision("c.part.7")) == (0, 7)


def test_a_sweep_drops_what_was_not_seen_and_is_not_newer():
    mirror = mirror_of(record(1, "a"), record(2, "b"), record(9, "c"))
    mirror.sweep({"c.part.b"}, 5)
    assert sorted(claim.key for claim in mirror.of("part")) == ["b", "c"]


def test_what_is_forgotten_counts_anew():
    mirror = mirror_of(record(7, "a"))
    mirror.whole_to = 7
    mirror.forget()
    mirror.apply(record(1, "a", b"new"))
    assert (mirror.whole_to, mirror.get("part", "a").value) == (0, b"new")


def test_who_watches_is_told_of_its_part_only():
    heard = []

    class Watcher:
        def claimed(self, claim):
            heard.append(("claimed", claim.key))

        def released(self, claim):
            heard.append(("released", claim.key))

    mirror = mirror_of(record(1, "a"))
    mirror.watch("part", Watcher())
    mirror.apply(record(2, "b", about="other"))
    mirror.apply(record(3, "a", None))
    mirror.learn("c.other.b", None, 2)
    assert heard == [("claimed", "a"), ("released", "a")]


def test_an_answer_of_the_leader_takes_nothing_away_that_was_told_since_it_was_asked():
    mirror = mirror_of()
    known = mirror.revision("c.part.a")
    mirror.apply(record(5, "a"))
    mirror.learn("c.part.a", None, known)
    assert mirror.revision("c.part.a") == 5
    mirror.learn("c.part.a", None, 5)
    assert mirror.revision("c.part.a") == 0
