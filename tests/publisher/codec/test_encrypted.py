from __future__ import annotations

import base64
import json
from typing import Any

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st

from penstock.publisher import Publisher, asubscribe, subscribe
from penstock.publisher.codec.codec import Codec
from penstock.publisher.codec.encrypted import EncryptedCodec, codec_for, codec_of_environment
from penstock.publisher.codec.keyring import KeyRing
from penstock.publisher.errors import CodecError, ConfigurationError, EncryptionError
from penstock.publisher.event import build, encode, parse
from tests.publisher.codec.exactness import assert_same
from tests.support.contents import leaks

OLD, NEW, OTHER = (bytes([number]) * 32 for number in (1, 2, 3))
codec = EncryptedCodec({"2026": NEW, "2025": OLD})
place = codec.at("penstock", "run", "r1", "input")


def offer(**keys: bytes) -> str:
    return ",".join(f"{name}:{base64.b64encode(key).decode()}" for name, key in keys.items())


# -- values -------------------------------------------------------------------------------------


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text() | st.binary(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner),
    )
)
def test_a_value_comes_back_exactly(value: Any) -> None:
    assert_same(place.loads(place.dumps(value)), value)


def test_a_sealed_text_is_json_with_nothing_of_the_value_in_it() -> None:
    text = place.dumps({"user": "swordfish", "tags": ["~sealed"]})

    assert list(json.loads(text)) == ["~sealed"]
    assert "swordfish" not in text and "user" not in text
    assert json.loads(f'{{"value":{text},"digest":""}}')["value"] == json.loads(text)


def test_equal_values_have_texts_of_their_own() -> None:
    assert place.dumps("a") != place.dumps("a")


def test_a_large_value_is_refused_by_its_own_size() -> None:
    small = EncryptedCodec({"k": NEW}, limit=100)

    assert small.loads(small.dumps("x" * 90)) == "x" * 90
    with pytest.raises(CodecError, match="over the limit of 100"):
        small.dumps("x" * 101)


def test_what_cannot_be_written_is_named_as_without_encryption() -> None:
    with pytest.raises(CodecError, match=r"the result cannot be stored: \$\.a \(object\)"):
        place.dumps({"a": object()}, "the result")


# -- keys ---------------------------------------------------------------------------------------


def test_f76_the_first_key_writes_and_all_of_them_read() -> None:
    before = EncryptedCodec({"2025": OLD}).dumps(1)
    after = codec.dumps(2)

    assert '"2025:' in before and '"2026:' in after
    assert [codec.loads(before), codec.loads(after)] == [1, 2]


def test_f76_an_unknown_key_is_named_with_the_fix() -> None:
    text = codec.dumps(1)

    with pytest.raises(EncryptionError, match=r"under key '2026'.*PENSTOCK_ENCRYPTION_KEYS") as at:
        EncryptedCodec({"2025": OLD}).loads(text)
    assert at.value.key_id == "2026"


def test_another_key_of_the_same_id_is_named_with_the_fix() -> None:
    with pytest.raises(
        EncryptionError, match=r"cannot be decrypted with key '2026'.*Compare the keys"
    ):
        EncryptedCodec({"2026": OTHER}).loads(codec.dumps(1))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "needs a key"),
        ("2026", "key 1 of PENSTOCK_ENCRYPTION_KEYS has not the form id:base64"),
        ("a:!!", "key 1 of"),
        (offer(a=NEW) + ",b", "key 2 of"),
        (offer(a=NEW[:16]), "has 16 bytes and needs 32"),
        (offer(a=NEW) + "," + offer(a=OLD), "two keys .* have the id 'a'"),
        (f"sp ace:{base64.b64encode(NEW).decode()}", "an id of letters"),
    ],
)
def test_keys_of_a_wrong_form_are_refused_and_not_shown(text: str, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says) as refused:
        KeyRing.parse(text) if text else KeyRing({})

    assert text.partition(":")[2] == "" or text.partition(":")[2] not in str(refused.value)


def test_no_key_is_shown_by_what_holds_it() -> None:
    ring = KeyRing({"2026": NEW})

    assert repr(ring) == "<KeyRing 2026>"
    assert all(repr(key)[2:-1] not in f"{codec!r}{place!r}" for key in (NEW, OLD))


def test_settings_and_environment_choose_the_codec(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PENSTOCK_ENCRYPTION_KEYS", raising=False)
    assert type(codec_of_environment()) is type(codec_for("", 10)) is Codec

    monkeypatch.setenv("PENSTOCK_ENCRYPTION_KEYS", offer(a=NEW))
    assert codec_of_environment().loads(codec_for(offer(a=NEW), 10).dumps(1)) == 1


# -- what is refused ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text", ["1", "null", '{"~sealed":1}', '{"a":1}', '{"~sealed":"a:b","x":1}']
)
def test_plaintext_is_refused_where_keys_are_set(text: str) -> None:
    with pytest.raises(EncryptionError, match="penstock/run/r1/input is not encrypted"):
        place.loads(text)


def test_ciphertext_is_refused_where_no_keys_are_set() -> None:
    with pytest.raises(EncryptionError, match=r"under key '2026', and no keys are set here"):
        Codec().loads(f'{{"value":{place.dumps(1)}}}')


def test_no_value_of_a_user_is_taken_for_ciphertext() -> None:
    value = json.loads(place.dumps(1))

    assert Codec().loads(Codec().dumps(value)) == value
    assert place.loads(place.dumps(value)) == value


@pytest.mark.parametrize(
    "other",
    [
        codec.at("other", "run", "r1", "input"),
        codec.at("penstock", "run", "r2", "input"),
        codec.at("penstock", "run", "r1", "context"),
        codec.at("penstock", "run", "r1"),
        codec.at("penstock", "run", "r1/input"),
    ],
)
def test_f76_a_text_does_not_open_at_another_place(other: EncryptedCodec) -> None:
    with pytest.raises(EncryptionError, match="changed or moved"):
        other.loads(place.dumps(1))


def test_any_changed_byte_is_noticed() -> None:
    token = json.loads(place.dumps("value"))["~sealed"]
    raw = base64.b64decode(token.partition(":")[2])

    for at in range(len(raw)):
        changed = raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :]
        with pytest.raises(EncryptionError, match="'2026'"):
            place.loads(json.dumps({"~sealed": f"2026:{base64.b64encode(changed).decode()}"}))
    for token in ("2026:", "2026:AAAA", "2026:????", "2026"):
        with pytest.raises(EncryptionError, match="'2026'"):
            place.loads(json.dumps({"~sealed": token}))


# -- digests ------------------------------------------------------------------------------------


def test_digests_need_the_key_and_tell_places_apart() -> None:
    (new, old) = place.digests("text", 6)

    assert len({new, old, *codec.digests("text", 6), *Codec().digests("text", 6)}) == 5
    assert EncryptedCodec({"2025": OLD}).at("penstock", "run", "r1", "input").digests(
        "text", 6
    ) == (old,)


def test_a_pinned_digest_survives_rotation() -> None:
    before = EncryptedCodec({"2025": OLD})
    text = before.dumps(1)

    assert codec.pinned(text).digests("a", 6) == before.digests("a", 6)
    assert codec.pinned("1").digests("a", 6) == codec.digests("a", 6)


# -- events -------------------------------------------------------------------------------------


def event(mode: str, data: str, reader: Codec = codec) -> Any:
    line = encode(mode, data, time=0.0)
    return build(parse(line, 1, "r1"), 1, "r1", reader.at("penstock")).data


def test_a_fact_is_read_with_its_names_in_the_clear_and_its_values_sealed() -> None:
    at = codec.at("penstock", "run", "r1")
    value = at.at("outcome", "double:0").dumps(4)
    question = at.at("question", "q").dumps("why")

    assert event("run.queued", '{"name":"main","queue":"default"}') == {
        "name": "main",
        "queue": "default",
    }
    assert event(
        "step.finished", f'{{"id":"double:0","outcome":{{"value":{value},"digest":"d"}}}}'
    ) == {"id": "double:0", "outcome": {"value": 4, "digest": "d"}}
    assert event("run.interrupted", f'{{"interrupts":[{{"value":{question},"id":"q"}}]}}') == {
        "interrupts": [{"value": "why", "id": "q"}]
    }
    assert event("custom", at.at("event", "custom").dumps([1])) == [1]


@pytest.mark.parametrize(
    ("mode", "data"),
    [
        ("custom", '"plain"'),
        ("custom", '{"id":"x"}'),
        ("step.finished", '{"id":"double:0","outcome":{"value":5}}'),
        ("step.started", '{"id":"double:0","input":[1]}'),
        ("run.interrupted", '{"interrupts":[{"value":"forged","id":"q"}]}'),
        ("run.queued", '{"name":{"forged":1}}'),
        ("step.retry", '{"id":"a:0","error":{"type":"ValueError","message":"forged"}}'),
    ],
)
def test_a_forged_event_is_refused(mode: str, data: str) -> None:
    with pytest.raises(EncryptionError):
        event(mode, data)


async def follow(url: str, keys: Codec | None) -> list[Any]:
    async with asubscribe("import", connection=url, codec=keys) as events:
        return [event.data async for event in events]


def test_what_is_published_is_encrypted_and_subscribers_decrypt_it(
    redis_url: str, redis_client: redis.Redis
) -> None:
    import asyncio

    with Publisher(redis_url, codec=codec) as publisher:
        publisher.publish("import", [("progress", "swordfish"), ("run.finished", None)])

    with subscribe("import", connection=redis_url, codec=codec) as events:
        assert [event.data for event in events] == ["swordfish", None]
    assert asyncio.run(follow(redis_url, codec)) == ["swordfish", None]
    assert leaks(redis_client, "swordfish") == []
    with (
        pytest.raises(EncryptionError, match="no keys are set here"),
        subscribe("import", connection=redis_url) as events,
    ):
        next(events)
    with pytest.raises(EncryptionError, match="under key '2026'"):
        asyncio.run(follow(redis_url, EncryptedCodec({"2025": OLD})))


def test_f76_an_event_moved_to_another_run_does_not_open(
    redis_url: str, redis_client: redis.Redis
) -> None:
    with Publisher(redis_url, codec=codec) as publisher:
        publisher.publish("a", [("progress", 1)])
    redis_client.copy("penstock:events:a", "penstock:events:b")

    with (
        pytest.raises(EncryptionError, match="run/b/event/progress"),
        subscribe("b", connection=redis_url, codec=codec) as events,
    ):
        next(events)
