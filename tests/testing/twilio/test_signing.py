from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twilio.request_validator import RequestValidator

from patter_nb.testing.twilio.signing import sign

names = st.text(st.characters(codec="utf-8"), max_size=8)


@given(token=st.text(st.characters(codec="utf-8"), min_size=1, max_size=40), form=st.dictionaries(names, names, max_size=6))
def test_a_signature_is_the_one_that_twilios_validator_computes(token, form):
    url = "https://rehearsal.example.com/webhooks/twilio/answer?call=1"
    assert RequestValidator(token).validate(url, form, sign(token, url, form.items()))


@given(values=st.lists(names, min_size=1, max_size=4))
def test_a_name_with_several_values_is_signed_as_twilios_validator_does(values):
    class Several(dict):
        def getlist(self, name):
            return values

    url = "https://rehearsal.example.com/status"
    signature = sign("12345", url, [("Event", value) for value in values])
    assert RequestValidator("12345").validate(url, Several(Event=values), signature)


def test_the_signature_changes_with_the_token_the_address_and_every_field():
    url, form = "https://example.com/a", [("A", "1"), ("B", "")]
    signed = sign("token", url, form)
    others = [sign("tokem", url, form), sign("token", url + "/", form), sign("token", url, form[:1]), sign("token", url)]
    assert signed not in others
    assert signed == sign("token", url, form[::-1])
