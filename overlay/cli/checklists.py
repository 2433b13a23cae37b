"""`overlay checklists`: whether a force's own wording can be used, and how a checklist reads."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import click

from checklists.definition import AnswerType, Definition, DefinitionError, Point
from checklists.load import load_definitions, read_files
from checklists.references import Known
from overlay.cli.options import json_option
from overlay.configuration import known_names
from overlay.settings import Settings

_WHO = {"call_handler": "call handler", "dispatcher": "dispatcher", "supervisor": "supervisor"}
_WHEN = {
    "on_call": "on the call",
    "on_dispatch": "when units are sent",
    "on_scene": "on scene",
    "before_close": "before closing",
}


@click.group()
def checklists() -> None:
    """The checklists that incidents open: THRIVE, the twenty point plan, prompts of markers."""


@checklists.command("validate")
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@json_option
def validate(files: tuple[Path, ...], as_json: bool) -> None:
    """Say everything that is wrong with definition files, by file, line and field; exit 0 when nothing is.

    Example: overlay checklists validate our_thrive.yaml our_plan.yaml
    """
    try:
        found = read_files(files, _known())
    except DefinitionError as refused:
        if as_json:
            click.echo(json.dumps({"valid": False, "errors": [asdict(fault) for fault in refused.errors]}))
        else:
            for fault in refused.errors:
                click.echo(str(fault), err=True)
        count = len(refused.errors)
        raise click.ClickException(
            f"{count} {'thing is' if count == 1 else 'things are'} wrong; a console with this would not start."
        ) from None
    if as_json:
        told = [{"id": definition.id, "version": definition.version} for definition in found]
        click.echo(json.dumps({"valid": True, "errors": [], "definitions": told}))
    else:
        for definition in found:
            click.echo(f"{definition.id} version {definition.version}: {len(definition.points)} points")


@checklists.command("show")
@click.argument("checklist")
@click.option(
    "--file", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Of this file, not of those in use."
)
@json_option
def show(checklist: str, file: Path | None, as_json: bool) -> None:
    """Print a checklist as a person would read it.

    Example: overlay checklists show domestic_abuse_20
    """
    found = read_files((file,), _known()) if file else load_definitions(known=_known())
    definition = next((definition for definition in found if definition.id == checklist), None)
    if definition is None:
        ids = ", ".join(definition.id for definition in found)
        raise click.ClickException(f"There is no checklist {checklist}. There are: {ids}.")
    if as_json:
        click.echo(json.dumps(definition.model_dump(mode="json"), ensure_ascii=False, indent=2))
    else:
        for line in _lines(definition):
            click.echo(line)


def _known() -> Known:
    return known_names(Settings.read())


def _lines(definition: Definition) -> Iterator[str]:
    approval = definition.approval
    yield f"{definition.title}  ({definition.id}, version {definition.version}, {approval.status})"
    if approval.status == "draft":
        yield "Draft: for practice, until the force has approved its wording."
    elif approval.approved_by and approval.approved_on:
        due = f", review due {approval.review_due:%d %B %Y}" if approval.review_due else ""
        yield f"Approved by {approval.approved_by} on {approval.approved_on:%d %B %Y}{due}."
    yield f"Opens for {_opens(definition)}."
    if definition.redo_when:
        yield f"Asked again when: {', '.join(trigger.replace('_', ' ') for trigger in definition.redo_when)}."
    if definition.raises_when:
        yield f"Raised when: {', '.join(trigger.replace('_', ' ') for trigger in definition.raises_when)}."
    for section in definition.sections:
        yield ""
        yield f"{section.letter + '  ' if section.letter else ''}{section.title}" + (
            f": {section.asks}" if section.asks else ""
        )
        for point in section.points:
            yield from _point(point)
    yield ""
    yield "Instead of an answer: " + "; ".join(
        label.label + (" (with a reason)" if label.needs_reason else "") for label in definition.non_answers.values()
    )


def _opens(definition: Definition) -> str:
    rule = definition.show_when
    reasons = ["every incident"] if rule.any_incident else []
    if rule.incident_types:
        reasons.append(f"the types {', '.join(rule.incident_types)}")
    if rule.marker_categories:
        where = f" ({', '.join(rule.grades)})" if rule.grades else ""
        reasons.append(f"markers of {', '.join(rule.marker_categories)}{where}")
    if rule.silent_or_dropped_from_marked_number:
        reasons.append("a silent or dropped call from a marked number")
    return "; ".join(reasons) or "nothing by itself"


def _point(point: Point) -> Iterator[str]:
    yield f"  {f'{point.number}. ' if point.number else '- '}{point.title}: {point.prompt}"
    facts = [_WHO[point.who], _WHEN[point.phase], "mandatory" if point.mandatory else "advisory"]
    if point.mandatory_if is not None:
        facts.append(f"mandatory if {point.mandatory_if.point} is {' or '.join(point.mandatory_if.any_of)}")
    if point.due_minutes:
        facts.append(f"due in {point.due_minutes} min")
    if point.repeat_minutes:
        facts.append(
            f"again every {point.repeat_minutes} min" + (" until a unit is on scene" if point.stop_when else "")
        )
    if point.repeat_per_unit:
        facts.append("of every unit")
    yield f"     {', '.join(facts)}"
    yield f"     {_answers(point.answer)}"
    raises = [
        *point.raises.codes,
        *(f"{item} no" for item in point.raises.no),
        *(f"any {item}" for item in point.raises.some),
    ]
    if point.raises.unanswered_after_minutes:
        raises.append(f"nothing said after {point.raises.unanswered_after_minutes} min")
    if raises:
        yield f"     raised: {', '.join(raises)}"
    if point.note_required_if:
        yield f"     needs a note: {', '.join(point.note_required_if)}"


def _answers(answer: AnswerType) -> str:
    match answer.type:
        case "choice":
            return "one of: " + " / ".join(answer.options.values())
        case "multi":
            return "any of: " + " / ".join(answer.options.values())
        case "checks":
            return "how each check ended: " + " / ".join(answer.items.values())
        case "listed":
            return f"one of the force's {answer.list.replace('_', ' ')}"
        case "set":
            return "; ".join(f"{item.title} ({_answers(item.answer)})" for item in answer.items.values())
        case "yes_no":
            return "yes or no"
        case "text":
            return "words"
        case "count":
            return "a number"
        case "call_signs":
            return "call signs"
        case _:
            return "who, and when"
