# Sums the closing lines of the test runners in a log and prints "PASSED FAILED".

# nextest:     Summary [   0.1s] 3 tests run: 2 passed, 1 failed, 0 skipped
/^ *Summary \[/ { passed += before("passed"); failed += before("failed"); next }
# cargo test:  test result: ok. 3 passed; 0 failed; 0 ignored
/^test result: / { passed += before("passed"); failed += before("failed"); next }
# pytest:      ===== 3 passed, 1 failed, 1 error in 0.12s =====
/^(=+ )?[0-9]+ (passed|failed|error).* in [0-9.]+s/ {
  passed += before("passed"); failed += before("failed") + before("errors?"); next
}
# minitest:    4 runs, 14 assertions, 0 failures, 0 errors, 0 skips
/^[0-9]+ runs, .* failures, / {
  wrong = before("failures") + before("errors")
  passed += $1 - wrong - before("skips"); failed += wrong; next
}
# node --test: ℹ pass 3
/^[^a-z]*pass [0-9]+$/ { passed += $NF; next }
/^[^a-z]*fail [0-9]+$/ { failed += $NF; next }
# everything else here: 3 passed, 0 failed
/^[0-9]+ passed, [0-9]+ failed$/ { passed += $1; failed += $3 }

# The number written before a word on this line, or 0.
function before(word,    found) {
  if (!match($0, "[0-9]+ " word)) return 0
  found = substr($0, RSTART, RLENGTH)
  return found + 0
}

END { print passed + 0, failed + 0 }
