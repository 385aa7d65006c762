//! The integers that stand in Rust for the enums that the library answers with. A number that a Rust enum does not have would be
//! undefined behaviour, and a later library may well know more of them.

use super::known;
use core::fmt;

/// Declares the integer for an enum of [`known`]. The list has to be complete, or the `match` does not compile.
macro_rules! answer {
    ($name:ident: $($variant:ident)+) => {
        #[doc = concat!("An answer of the library: [`known::", stringify!($name), "`], or a number that only a later version knows.")]
        #[repr(transparent)]
        #[derive(Clone, Copy, PartialEq, Eq, Hash)]
        pub struct $name(pub u32);

        #[allow(non_upper_case_globals, reason = "as the enum that it stands for")]
        impl $name {
            $(
                #[doc = concat!("[`known::", stringify!($name), "::", stringify!($variant), "`]")]
                pub const $variant: Self = Self(known::$name::$variant as u32);
            )+

            /// The answer as an enum; none if this version does not know the number.
            pub const fn known(self) -> Option<known::$name> {
                match self {
                    $(Self::$variant => Some(known::$name::$variant),)+
                    _ => None,
                }
            }
        }

        impl From<known::$name> for $name {
            fn from(value: known::$name) -> Self {
                match value {
                    $(known::$name::$variant => Self::$variant,)+
                }
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self.known() {
                    Some(value) => value.fmt(formatter),
                    None => formatter.debug_tuple(stringify!($name)).field(&self.0).finish(),
                }
            }
        }
    };
}

answer!(HeapStatus:
    Ok OutOfMemory InvalidArgument NotOwned NotAllocated Misaligned WrongLayout Overlap TooSmall TooManyRegions Corrupt Unsupported);

answer!(HeapRunKind: Free Set Large);
