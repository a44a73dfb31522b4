//! stub
/// stub
#[derive(Debug)]
pub struct Screen;
impl Screen {
    /// stub
    pub fn new(_: Vec<String>) -> Screen {
        Screen
    }
    /// stub
    pub fn add(&mut self, text: &str) -> String {
        text.to_owned()
    }
    /// stub
    pub fn end(&mut self) -> String {
        String::new()
    }
}
