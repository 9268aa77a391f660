"""What a schema can't say of a request, and what must hold of the response then. Read by scripts/schema."""

import json
import os

import schemathesis
from hypothesis import strategies as st
from schemathesis.generation.meta import TestPhase

# Where the triggers of the run send: nobody listens there, and nothing else is ever called.
RECEIVER = os.environ["SCHEMA_RECEIVER"]
ACCOUNT, RECORD = "acme", "kept"
# Which bodies a template may have, no schema says. Sequences need some that can be saved.
BODIES = {"json": '{"n":{{n}}}', "xml": "<n>{{n}}</n>", "form": "n={{n}}", "text": "{{n}}"}

# Mistakes that only the reader of a document can find, by the begin of their JSON Pointer.
BEYOND_SCHEMAS = (
    "/where",  # the language of filters
    "/url",  # which hosts may be called
    "/headers",  # names that Posthaste sets or that differ by case only, values that are to be kept, their sum
    "/secrets/",  # keys that are to be kept
    "/content_type",  # what its parameters say, and formats that it does not go with
)
# The same for mistakes that have no pointer.
CODES_BEYOND_SCHEMAS = (
    "unknown_template",
    "bad_data",  # `data_base64` that holds no JSON
)


# The least bound of a text, in bytes; schemas count characters.
BYTES_MAX = 255


def is_longer_in_bytes(value):
    """Whether a text in a document may be too long in bytes although it is not in characters."""
    if isinstance(value, str):
        return len(value) < len(value.encode("utf-8", "surrogatepass")) > BYTES_MAX
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return any(is_longer_in_bytes(part) for part in parts)


def is_positive(case):
    return case.meta is not None and case.meta.generation.mode.is_positive


def is_step(case):
    """Whether the request is one of a sequence, which works on what its earlier requests made."""
    return case.meta is not None and case.meta.phase.name == TestPhase.STATEFUL


def body_is_broken(case):
    parts = case.meta.components.items() if case.meta is not None else ()
    return any(str(part).lower().endswith("body") and data.mode.is_negative for part, data in parts)


@schemathesis.hook
def before_call(context, case, kwargs):
    """Valid requests work on records that there are. No trigger sends anywhere but to the receiver."""
    if isinstance(case.body, dict):
        if isinstance(case.body.get("url"), str):
            case.body["url"] = RECEIVER
        if is_positive(case) and isinstance(case.body.get("template"), str):
            case.body["template"] = RECORD
        if is_positive(case) and is_step(case) and case.body.get("format") in BODIES:
            case.body["body"] = BODIES[case.body["format"]]
            case.body.pop("content_type", None)
    if is_positive(case):
        parameters = case.path_parameters or {}
        if "account" in parameters:
            parameters["account"] = ACCOUNT
        if "id" in parameters:
            parameters["id"] = chosen_id(case, parameters["id"])
            if isinstance(case.body, dict) and "id" in case.body:
                case.body["id"] = parameters["id"]


def chosen_id(case, made):
    """The kept record, or what an earlier request of the sequence made. The kept one is never deleted, or the requests
    after it would find none."""
    if case.method.upper() == "DELETE":
        return "not-kept" if made == RECORD else made
    return made if is_step(case) else RECORD


@schemathesis.hook
def filter_case(context, case):
    """What a write answers can be sent back: the node passes over `warnings`, whatever they are."""
    return is_positive(case) or case.meta is None or "warnings" not in repr(case.meta.phase.data)


@schemathesis.check
def valid_requests_are_refused_for_reasons_that_no_schema_knows(context, response, case):
    if not is_positive(case) or response.status_code != 422:
        return
    problem = response.json()
    codes = [problem["code"]] if not problem.get("rejected") else [event["code"] for event in problem["rejected"]]
    known = all(code in CODES_BEYOND_SCHEMAS for code in codes) or problem.get("diagnostics")
    errors = problem.get("errors", [])
    known = known or is_longer_in_bytes(case.body)
    known = known or (errors and all(error["pointer"].startswith(BEYOND_SCHEMAS) for error in errors))
    assert known, f"the schema lets pass what is refused: {json.dumps(problem)}"


@schemathesis.check
def a_check_of_a_broken_document_names_mistakes(context, response, case):
    if case.operation.definition.raw.get("operationId") != "check_trigger" or is_positive(case):
        return
    if response.status_code == 200 and body_is_broken(case):
        verdict = response.json()
        assert not verdict["ok"] and verdict["errors"], f"no mistake is named: {json.dumps(verdict)}"


@schemathesis.check
def each_event_that_is_not_accepted_is_named(context, response, case):
    if case.operation.definition.raw.get("operationId") != "post_events" or is_positive(case):
        return
    if response.status_code == 202 and body_is_broken(case):
        receipt = response.json()
        assert receipt["rejected"] and isinstance(case.body, list), f"no event is named: {json.dumps(receipt)}"
        assert receipt["accepted"] + len(receipt["rejected"]) <= len(case.body)


def lines(events):
    return "\n".join(json.dumps(event) for event in events).encode()


event = st.fixed_dictionaries({"type": st.sampled_from(["guest.created", "orders/create"]), "data": st.just({})})
schemathesis.openapi.media_type("application/x-ndjson", st.lists(event, min_size=1, max_size=3).map(lines))
