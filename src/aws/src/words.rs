//! Enums that services write as words.

/// Declares an enum with the service's word for each value: how it is saved, sent and read.
macro_rules! words {
    ($(#[$meta:meta])* pub enum $Name:ident {
        $($(#[$doc:meta])* $Value:ident = $word:literal),* $(,)?
    }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, ::serde::Serialize, ::serde::Deserialize)]
        pub enum $Name { $($(#[$doc])* #[serde(rename = $word)] $Value),* }

        impl $Name {
            /// The service's word for it.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$Value => $word),* }
            }

            /// `None` for a word that this program doesn't know.
            pub fn from_word(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$Value),)* _ => None }
            }
        }

        formwork_engine::leaf!($Name);
    };
}
pub(crate) use words;
