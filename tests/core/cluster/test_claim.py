from radiod.core.cluster.claim import Taken, cannot_agree, subject_of


def test_a_subject_has_two_tokens_behind_its_prefix_whatever_is_claimed():
    subject = subject_of("a.b", "part of *", "key with spaces\n. > \ud800")
    assert subject.startswith("a.b.")
    assert subject.removeprefix("a.b.").replace(".", "", 1).isalnum()


def test_subjects_differ_by_part_and_by_key():
    assert len({subject_of("c", about, key) for about in "ab" for key in "ab"}) == 4


def test_a_refusal_says_why():
    assert cannot_agree("nobody is there").text == "the cluster cannot agree: nobody is there"
    assert Taken(None).current is None
