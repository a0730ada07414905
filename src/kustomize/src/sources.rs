//! The files that objects and patches were read from, by number: a value keeps two bytes of where it is from.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

/// Files by number, counted from 1.
#[derive(Debug, Default)]
pub struct Sources {
    files: Vec<Arc<Path>>,
    numbers: HashMap<Arc<Path>, u16>,
}

impl Sources {
    /// A file's number; zero once there are more of them than can be told apart.
    pub fn number(&mut self, file: &Path) -> u16 {
        if let Some(number) = self.numbers.get(file) {
            return *number;
        }
        let Ok(number) = u16::try_from(self.files.len() + 1) else { return 0 };
        let file: Arc<Path> = Arc::from(file);
        self.files.push(Arc::clone(&file));
        self.numbers.insert(file, number);
        number
    }

    pub fn file(&self, number: u16) -> Option<&Path> {
        let position = usize::from(number).checked_sub(1)?;
        self.files.get(position).map(AsRef::as_ref)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_told_apart_as_long_as_there_are_numbers() {
        let mut sources = Sources::default();
        let [one, two] = [Path::new("a.yaml"), Path::new("b.yaml")];
        assert_eq!([one, two, one].map(|file| sources.number(file)), [1, 2, 1]);
        assert_eq!((sources.file(2), sources.file(0), sources.file(3)), (Some(two), None, None));
        for number in 3..=usize::from(u16::MAX) {
            sources.number(Path::new(&number.to_string()));
        }
        assert_eq!(sources.number(Path::new("one too many")), 0);
        assert_eq!(sources.number(two), 2);
    }
}
