//! One key a line.

use super::lines::{Expected, Parse, Requests};

/// See the module's documentation.
pub(crate) struct Keys;

impl Parse for Keys {
    fn parse(&mut self, line: &[u8], out: &mut Requests) -> Result<(), Expected> {
        out.push(line);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Format, Reading, read_all};
    use crate::error::Error;

    fn reading() -> Reading {
        Reading {
            format: Some(Format::Keys),
            keep_names: true,
            ..Reading::default()
        }
    }

    #[test]
    fn every_line_is_a_key_whatever_is_in_it() {
        let all = read_all("a", "user:1\nüser, \"2\"\nuser:1\n".as_bytes(), &reading()).unwrap();
        assert_eq!(all.len(), 3);
        assert_eq!(all[0], all[2]);
        assert_ne!(all[0].key, all[1].key);
        assert_eq!(all[1].name.as_deref(), Some("üser, \"2\"".as_bytes()));
        assert_eq!(all[0].key_bytes, 6);
    }

    #[test]
    fn junk_with_zero_bytes_is_no_text() {
        let error = read_all("junk", b"\x7fELF\0\0\x01\n", &reading()).unwrap_err();
        assert!(matches!(error, Error::Malformed { at: 1, .. }), "{error}");
    }
}
