"""Whether a diagnostic agent's turn is well-formed: elements side by side, one call at its end, nothing in a thought.

An environment answers the call at a turn's end alone, so that what looks like a call elsewhere was answered by nobody;
and an answer that stands in a thought ends nothing. The authors' code looks at neither [choice].
"""

from __future__ import annotations

import re

from guerdon_medical.dx_layout import Layout

_TAG = re.compile(r"<(/?)([A-Za-z_][\w.-]{0,63})>")


def turn_fault(text: str, layout: Layout) -> str:
    """What is wrong with a turn of the policy's; empty where nothing is. Takes time linear in the text.

    Words outside of all elements are no fault, nor are unknown tags that never close, nor those within a thought.

    >>> turn_fault("<think>Or <answer>flu</answer>?</think>", Layout())
    '<answer> stands within <think>'
    >>> turn_fault("<ask>flu</ask> Hm. <answer>flu</answer>", Layout())
    '<ask>...</ask> is no action'
    """
    calls = (layout.match, layout.lookup, layout.search)
    known = {*layout.own, *calls}
    closed_last = {found[2]: found.start() for found in _TAG.finditer(text) if found[1]}
    opened = ""
    answered = False
    for found in _TAG.finditer(text):
        closing, name = bool(found[1]), found[2]
        if name not in known:
            if not opened and not closing and closed_last.get(name, -1) > found.start():
                return f"<{name}>...</{name}> is no action"
        elif closing and name == opened:
            opened = ""
            answered = answered or name == layout.answer
            if name in calls and text[found.end() :].strip():
                return f"calls <{name}> before the end of a turn"
        elif opened:
            return f"<{'/' * closing}{name}> stands within <{opened}>"
        elif closing:
            return f"closes a <{name}> that is not open"
        elif answered and name in calls:
            return f"calls <{name}> after the answer"
        else:
            opened = name
    return f"<{opened}> is never closed" if opened else ""
