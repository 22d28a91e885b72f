//! The command line.

pub struct Options {
    pub rounds: usize,
    pub entries: Vec<usize>,
    pub key_bytes: usize,
    pub value_bytes: usize,
    pub out: Option<String>,
    /// Parts of the names of the cases that are wanted; all if there are none.
    pub names: Vec<String>,
    /// In a child process: whose memory is to be measured.
    pub memory_of: Option<String>,
}

/// Keys are arrays, so that no contestant has to allocate them; these lengths are compiled.
pub const KEY_BYTES: [usize; 4] = [16, 21, 32, 64];

impl Options {
    pub fn read() -> Options {
        let mut options = Options {
            rounds: 25,
            entries: vec![1_000, 10_000, 100_000, 1_000_000],
            key_bytes: 16,
            value_bytes: 100,
            out: None,
            names: Vec::new(),
            memory_of: None,
        };
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            let mut next = || {
                let given = arguments.next();
                given.unwrap_or_else(|| panic!("{argument} needs a value"))
            };
            match argument.as_str() {
                "--quick" => options.rounds = 7,
                "--rounds" => options.rounds = number(&next()),
                "--entries" => options.entries = next().split(',').map(number).collect(),
                "--key-bytes" => options.key_bytes = number(&next()),
                "--value-bytes" => options.value_bytes = number(&next()),
                "--out" => options.out = Some(next()),
                "--memory-of" => options.memory_of = Some(next()),
                name if name.starts_with("--") => panic!("unknown argument {name}"),
                _ => options.names.push(argument),
            }
        }
        assert!(
            KEY_BYTES.contains(&options.key_bytes),
            "--key-bytes is one of {KEY_BYTES:?}"
        );
        options
    }

    pub fn wants(&self, name: &str) -> bool {
        self.names.is_empty() || self.names.iter().any(|part| name.contains(part.as_str()))
    }
}

fn number(text: &str) -> usize {
    text.parse()
        .unwrap_or_else(|_| panic!("{text} is not a number"))
}
