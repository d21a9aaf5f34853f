"""Other trainers: our rewards and tasks in the form each of them takes. Theirs is imported where it is used.

Each adapter stands on `guerdon.grading.Grader` and is a leaf: nothing imports it. docs/adapters has a script for each.
"""
