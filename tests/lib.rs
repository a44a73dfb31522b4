//! The tests of Daybook as a whole; see the folders beside this file.
