"""The loop: data changes, the line runs again, and what came of it is offered as a branch."""
