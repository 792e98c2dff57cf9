"""One base model beside the models that were made from it: what was changed, whether it is sound, what it does.

`comparison` is the door, `stages` what is done one after the other. `changes` says what was changed; `health` and what
it rests on (`stored_forms`, `tensor_errors`, `causes`) hold every tensor against the error that its stored type should
have; `first_tokens`, `tokens`, `passages` and `programs` say what it does; `guidelines` what was to be expected;
`summary` and `page` show it.
"""
