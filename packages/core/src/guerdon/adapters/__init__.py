"""Other trainers, one module each: `guerdon.grading.Grader` in their words. Leaves that nothing of ours imports.

Each imports the framework it speaks to inside its functions only: listing and importing them needs none installed.
"""
