#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person at the desktop sees and does, through the accessibility bus: a line of JSON asks, a line of JSON answers.

  ["look"]                → everything that is shown, each a dict; "at" is how it is found again until it goes
  ["do", AT, ACTION]      → whether it has that action and did it
  ["type", AT, TEXT]      → whether it is a field, and has that text now
  ["clipboard"]           → the URIs of the files that were copied, as text
  ["pixels", COLOUR]      → how much of the screen is of exactly that [red, green, blue]
  ["picture", FILE]       → whether the whole screen is in that file now, as a PNG
"""

import json
import sys
import warnings

import gi

warnings.simplefilter("ignore")
gi.require_version("Atspi", "2.0")
gi.require_version("Gdk", "3.0")
gi.require_version("Gtk", "3.0")
from gi.repository import Atspi, Gdk, GLib, Gtk  # noqa: E402

DEEPEST = 24


def look():
    found = []

    def visit(node, at):
        states = node.get_state_set()
        if len(at) > 2 and not states.contains(Atspi.StateType.SHOWING):
            return
        place = node.get_component_iface() and Atspi.Component.get_extents(node, Atspi.CoordType.SCREEN)
        found.append({
            "at": at, "role": node.get_role_name(), "name": node.get_name() or "",
            "text": Atspi.Text.get_text(node, 0, -1) if node.get_text_iface() else "",
            "place": [place.x, place.y, place.width, place.height] if place else None,
            "selected": states.contains(Atspi.StateType.SELECTED),
        })
        for i in range(node.get_child_count() if len(at) < DEEPEST else 0):
            child = node.get_child_at_index(i)
            if child:
                visit(child, [*at, i])

    visit(Atspi.get_desktop(0), [])
    return found


def find(at):
    node = Atspi.get_desktop(0)
    for i in at:
        node = node.get_child_at_index(i)
    return node


def do(at, action):
    node = find(at)
    names = [Atspi.Action.get_action_name(node, i) for i in range(Atspi.Action.get_n_actions(node))]
    return action in names and Atspi.Action.do_action(node, names.index(action))


def type_text(at, text):
    node = find(at)
    return bool(node.get_editable_text_iface()) and Atspi.EditableText.set_text_contents(node, text) and Atspi.Text.get_text(node, 0, -1) == text


def clipboard():
    contents = Gtk.Clipboard.get(Gdk.SELECTION_CLIPBOARD).wait_for_contents(Gdk.Atom.intern("x-special/gnome-copied-files", False))
    return (contents.get_data() if contents else b"").decode()


def screen():
    root = Gdk.get_default_root_window()
    return Gdk.pixbuf_get_from_window(root, 0, 0, root.get_width(), root.get_height())


def pixels(colour):
    return screen().get_pixels().count(bytes(colour))


def picture(file):
    return screen().savev(file, "png", [], [])


def main():
    Atspi.set_timeout(60_000, 60_000)
    verbs = {"look": look, "do": do, "type": type_text, "clipboard": clipboard, "pixels": pixels, "picture": picture}
    for line in sys.stdin:
        verb, *args = json.loads(line)
        try:
            answer = verbs[verb](*args)
        except (GLib.Error, AttributeError):  # it has just gone
            answer = None
        # what has happened in the meantime, or the tree is remembered as it was
        context = GLib.MainContext.default()
        while context.pending():
            context.iteration(False)
        print(json.dumps(answer), flush=True)


main()
