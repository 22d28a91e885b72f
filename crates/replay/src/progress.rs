//! A progress bar on a terminal; nothing where the messages of the program go elsewhere.

use crate::error::Error;
use crate::format::{Notes, Reader};
use crate::input::Input;
use crate::request::Request;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Requests between two looks at the position, less one.
const LOOK_MASK: u64 = 8_191;

/// How far an input has been read, shown to whoever waits.
pub struct Progress {
    bar: ProgressBar,
    position: Arc<AtomicU64>,
}

impl Progress {
    /// For an input; `what` is what is being done with it.
    pub fn of(input: &Input, what: &'static str) -> Self {
        // Hidden by itself where standard error is no terminal.
        let (bar, template) = match input.total {
            Some(total) => (
                ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr()),
                "{prefix} {wide_bar} {bytes}/{total_bytes} {eta}",
            ),
            None => (
                ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr()),
                "{prefix} {spinner} {bytes} {elapsed}",
            ),
        };
        let style =
            ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        bar.set_style(style);
        bar.set_prefix(format!("{} {what}", input.path.display()));
        Self {
            bar,
            position: Arc::clone(&input.position),
        }
    }

    /// A reader that moves the bar.
    pub fn watch(self, reader: Box<dyn Reader>) -> Box<dyn Reader> {
        Box::new(Watched {
            reader,
            progress: self,
            requests: 0,
        })
    }
}

struct Watched {
    reader: Box<dyn Reader>,
    progress: Progress,
    requests: u64,
}

impl Reader for Watched {
    fn next(&mut self) -> Result<Option<Request>, Error> {
        self.requests += 1;
        if self.requests & LOOK_MASK == 0 {
            let position = self.progress.position.load(Ordering::Relaxed);
            self.progress.bar.set_position(position);
        }
        self.reader.next()
    }

    fn notes(&self) -> Notes {
        self.reader.notes()
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.progress.bar.finish_and_clear();
    }
}
