//! The command `nearcache-replay`.

use nearcache_replay::cli::{self, Cli};
use std::io::Write;
use std::process::ExitCode;

fn main() -> ExitCode {
    // A command line that is not understood ends here, with the exit code 2.
    let cli = Cli::parse(std::env::args_os()).unwrap_or_else(|error| error.exit());
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    match cli::run(&cli, &mut out) {
        Ok(()) => match out.flush() {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::FAILURE,
        },
        Err(error) => {
            // What came before the error is good; whether it can still be written matters less now.
            let _ = out.flush();
            eprintln!("nearcache-replay: {error}");
            ExitCode::from(error.exit_code())
        }
    }
}
