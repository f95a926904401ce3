"""What options say of a message, beyond what their types let through (test_messages)."""

import pytest

from radiod.wire.options import Passthru, PublishOptions


@pytest.mark.parametrize("which", ["exclude", "eligible"])
@pytest.mark.parametrize("by", ["", "_authid", "_authrole"])
def test_every_black_and_whitelist_narrows_even_when_empty(which, by):
    assert PublishOptions(**{which + by: []}).narrows()


def test_what_does_not_list_receivers_does_not_narrow():
    assert not PublishOptions(acknowledge=True, exclude_me=False, retain=True).narrows()


def test_black_and_whitelists_have_a_size():
    assert PublishOptions().lists_size() == PublishOptions(eligible=[], exclude_authid=[]).lists_size() == 0
    ids = PublishOptions(eligible=[1, 2], exclude=[3]).lists_size()
    assert ids == 3 * PublishOptions(exclude=[2**53]).lists_size() > 3 * 32
    for which in ("eligible_authid", "exclude_authid", "eligible_authrole", "exclude_authrole"):
        short, long = (PublishOptions(**{which: [text]}).lists_size() for text in ("", "x" * 1000))
        assert long - short == 1000
        assert short > 49


@pytest.mark.parametrize("attribute", Passthru.__struct_fields__)
def test_what_a_sender_says_of_an_opaque_payload_is_passed_on(attribute):
    given = {"ppt_scheme": "x_mine", attribute: "mine"}
    assert PublishOptions(**given).passthru() == given


def test_without_a_scheme_there_is_nothing_to_pass_on():
    assert PublishOptions(ppt_cipher="aes256gcm").passthru() == {}
