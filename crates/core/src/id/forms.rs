//! What every name can do: be shown, and be read and written as the text that it is.

/// Shows a name as its text.
macro_rules! shown {
    ($type:ident) => {
        impl std::fmt::Display for $type {
            fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                out.pad(&self.0)
            }
        }

        impl std::fmt::Debug for $type {
            fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(out, "{:?}", &*self.0)
            }
        }
    };
}

/// Shows a name, and parses it wherever text comes in.
macro_rules! text_form {
    ($type:ident) => {
        shown!($type);

        impl TryFrom<String> for $type {
            type Error = BadName;
            fn try_from(text: String) -> Result<$type, BadName> {
                $type::parse(&text)
            }
        }

        impl From<$type> for String {
            fn from(name: $type) -> String {
                name.0.into()
            }
        }

        impl std::str::FromStr for $type {
            type Err = BadName;
            fn from_str(text: &str) -> Result<$type, BadName> {
                $type::parse(text)
            }
        }
    };
}
