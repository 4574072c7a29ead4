# Mail. Subjects and bodies, one sentence a key.
