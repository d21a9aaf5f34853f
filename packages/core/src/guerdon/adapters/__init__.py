"""Other trainers' contracts, spoken by our rewards. One module per trainer; each imports its trainer inside functions.

Whatever a module here is asked to score goes through `guerdon.grading.Grader`.
"""
