"""Other trainers, a module or package each: `guerdon.grading.Grader` in their words. Nothing of ours imports them.

Each imports the framework it speaks to inside its functions only: listing and importing them needs none installed.
"""
