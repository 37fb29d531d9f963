"""Lists and graphs in a notebook.

show        the public function
list_view   a user's list with its history and explanations, as plain values
node_view   a node with its neighbours, as plain values
static      a view as HTML without scripts
widget      a view as a widget, with anywidget
script      the script of the widget: modules of the server's page and `widget.js`, joined into one

This module imports nothing.
"""
