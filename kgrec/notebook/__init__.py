"""Lists and graphs in a notebook.

show        the public function
list_view   a user's list with its history and explanations as plain values
node_view   a node with its neighbours as plain values
static      either as HTML that needs no scripts
widget      either as a widget, with anywidget
script      the script of the widget: modules of the page of the server, and `widget.js`, as one

Nothing is imported here.
"""
