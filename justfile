# The commands of daily work. `just` alone lists them.

# Lists the commands.
default:
    @{{ just_executable() }} --list --unsorted

# Everything that CI checks, exactly as CI does.
check:
    ./.ci/run

# Every test; installs what is missing (see scripts/test).
test:
    ./scripts/test

# Formats the code.
fmt:
    cargo fmt

# Warnings are errors.
lint:
    cargo clippy --locked --all-targets -- -D warnings

# The documentation of the code, in target/doc.
doc:
    RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --locked

# What may enter the dependency tree.
deny:
    ./scripts/deny

# The benchmarks; arguments choose among them.
bench *arguments:
    cargo bench --locked {{ arguments }}

# The whole product with an embedded default, data under ./gridgate-data.
quickstart:
    cargo run --release --locked -- quickstart

# Writes the generated files anew; the tests fail where these are out of date.
regen:
    GRIDGATE_REGENERATE=1 cargo test --locked --test generated
