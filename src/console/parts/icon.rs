//! Icons: 16 by 16, drawn with the text's colour, and never the only thing that says something.

use maud::{Markup, html};

/// Declares [`Icon`] with what it is drawn by. Marks are filled, the others are lines.
macro_rules! icons {
    ($($name:ident = $class:literal, $path:literal;)*) => {
        /// An icon.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub(in crate::console) enum Icon {
            $($name,)*
        }

        impl Icon {
            const fn drawing(self) -> (&'static str, &'static str) {
                match self { $(Self::$name => ($class, $path),)* }
            }
        }
    };
}

icons! {
    Active = "mark", "M8 1a7 7 0 1 0 0 14A7 7 0 0 0 8 1Zm3.5 5.3-4.2 4.6a.8.8 0 0 1-1.2 0L4.4 9.1l1.1-1.1 1.2 1.2 3.7-4Z";
    Inactive = "mark", "M8 1a7 7 0 1 0 0 14A7 7 0 0 0 8 1ZM5.8 5h1.5v6H5.8Zm2.9 0h1.5v6H8.7Z";
    Expired = "mark", "M8 1a7 7 0 1 0 0 14A7 7 0 0 0 8 1Zm-.8 3h1.5v3.6l2.3 1.4-.8 1.3-3-1.9Z";
    Revoked = "mark", "M8 1a7 7 0 1 0 0 14A7 7 0 0 0 8 1Zm2.9 8.8-1.1 1.1L8 9.1l-1.8 1.8-1.1-1.1L6.9 8 5.1 6.2l1.1-1.1L8 6.9l1.8-1.8 1.1 1.1L9.1 8Z";
    Danger = "mark", "M5.1 1h5.8L15 5.1v5.8L10.9 15H5.1L1 10.9V5.1Zm2.1 3v5h1.6V4Zm0 6.2v1.6h1.6v-1.6Z";
    Warning = "mark", "M8.9 1.9a1 1 0 0 0-1.8 0L.9 13.2A1 1 0 0 0 1.8 14.700h12.400a1 1 0 0 0 .9-1.5ZM7.200 5.500h1.600v4.500H7.200Zm0 5.700h1.600v1.600H7.200Z";
    Info = "mark", "M8 1a7 7 0 1 0 0 14A7 7 0 0 0 8 1Zm-.8 3h1.6v1.6H7.200Zm0 2.800h1.6V12H7.200Z";
    Rotating = "line", "M13.500 6.500A5.800 5.800 0 0 0 3.300 4.800L2 6.200M2 2.800v3.400h3.400M2.500 9.500a5.800 5.800 0 0 0 10.200 1.700L14 9.800m0 3.400V9.800h-3.400";
    Home = "line", "M2 7.200 8 2l6 5.200V14H9.800v-4H6.200v4H2Z";
    Key = "line", "M10.500 2a3.500 3.500 0 1 0-3.200 4.900L2 12.200V14h2.500v-1.500H6V11h1.500l1.600-1.600A3.500 3.500 0 0 0 10.500 2Zm.6 3h.01";
    Refused = "line", "M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2ZM3.800 3.800l8.400 8.400";
    Pulse = "line", "M1 8h3l2-5 4 10 2-5h3";
    Bars = "line", "M2 14h12M4 11.500V8m4 3.500V3m4 8.500v-5";
    Folder = "line", "M2 4.500C2 3.700 2.700 3 3.500 3H6l1.500 2h5c.8 0 1.500.7 1.500 1.500v5c0 .8-.7 1.500-1.500 1.500h-9A1.500 1.500 0 0 1 2 11.500Z";
    Gauge = "line", "M3.500 12.500a6.200 6.200 0 1 1 9 0M8 9l2.500-3.500";
    Shield = "line", "M8 1.800 13 3.500V8c0 3-2.100 5-5 6.200C5.100 13 3 11 3 8V3.500ZM5.800 7.800l1.600 1.600 2.900-3";
    People = "line", "M6 7.500a2.500 2.500 0 1 0 0-5 2.500 2.500 0 0 0 0 5Zm-4.500 6c0-2.500 2-4 4.500-4s4.500 1.500 4.500 4M10.500 2.700a2.500 2.500 0 0 1 0 4.600m1 2.400c1.800.5 3 1.900 3 3.800";
    List = "line", "M3.500 2h9v12h-9Zm2.500 3.500h4M6 8h4m-4 2.500h4";
    Sliders = "line", "M2 4.500h6m4 0h2M2 11.500h2m4 0h6M10 2.800a1.700 1.700 0 1 0 0 3.400 1.700 1.700 0 0 0 0-3.400ZM6 9.800a1.700 1.700 0 1 0 0 3.400 1.700 1.700 0 0 0 0-3.400Z";
    Copy = "line", "M5.500 5.500V3.200c0-.7.500-1.200 1.200-1.200h6.100c.7 0 1.200.5 1.200 1.200v6.100c0 .7-.5 1.200-1.200 1.200h-2.300M3.200 5.500h6.100c.7 0 1.200.5 1.200 1.200v6.100c0 .7-.5 1.200-1.200 1.200H3.200c-.7 0-1.200-.5-1.200-1.200V6.700c0-.7.5-1.200 1.200-1.200Z";
    Eye = "line", "M1.500 8C3 5 5.300 3.500 8 3.500S13 5 14.500 8C13 11 10.700 12.500 8 12.500S3 11 1.500 8ZM8 6a2 2 0 1 0 0 4 2 2 0 0 0 0-4Z";
    Search = "line", "M7 2.500a4.500 4.500 0 1 0 0 9 4.500 4.500 0 0 0 0-9Zm3.300 7.800L14 14";
    Plus = "line", "M8 3v10M3 8h10";
    More = "mark", "M3 6.800a1.200 1.200 0 1 0 0 2.400 1.200 1.200 0 0 0 0-2.400Zm5 0a1.200 1.200 0 1 0 0 2.400 1.200 1.200 0 0 0 0-2.400Zm5 0a1.200 1.200 0 1 0 0 2.400 1.200 1.200 0 0 0 0-2.400Z";
    Right = "line", "m6 3.500 4.500 4.500L6 12.500";
    Down = "line", "M3.500 6 8 10.500 12.500 6";
    Menu = "line", "M2 4h12M2 8h12M2 12h12";
    Sun = "line", "M8 5.200a2.800 2.800 0 1 0 0 5.600 2.800 2.800 0 0 0 0-5.600ZM8 1v1.500m0 11V15M1 8h1.500m11 0H15M3 3l1.100 1.100m7.800 7.800L13 13M3 13l1.100-1.100m7.800-7.800L13 3";
    SignOut = "line", "M6 2H3.200C2.500 2 2 2.500 2 3.200v9.600c0 .7.500 1.200 1.200 1.200H6m4.500-9L14 8l-3.500 3M14 8H6";
    Prompt = "line", "m2.500 4.500 4 3.500-4 3.500M8 12h5.500";
    Pause = "line", "M5.500 3v10M10.500 3v10";
    Play = "line", "M4.500 2.500v11l8.500-5.500Z";
    Download = "line", "M8 2v8m-3.500-3.500L8 10l3.500-3.500M2.500 13.500h11";
    Close = "line", "m3.500 3.500 9 9m0-9-9 9";
}

/// The drawing of `which`, hidden from who listens: the text beside it says the same.
pub(in crate::console) fn icon(which: Icon) -> Markup {
    let (class, path) = which.drawing();
    html! {
        svg class={ "icon " (class) } viewBox="0 0 16 16" width="16" height="16" aria-hidden="true" focusable="false" { path d=(path) {} }
    }
}
