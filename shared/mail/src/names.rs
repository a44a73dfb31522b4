//! Chinese names of the values that mails show. In English mails, values have their names in the API.

use daybook_domain::demo::DemoType;
use daybook_domain::enquiry::{ApplicationArea, BudgetRange, CompanySize, Industry, ProjectTimeline};

/// A value with a Chinese name. A value that only a newer version knows has its name in the API.
pub(crate) trait Named {
    /// The name in the API.
    fn english(self) -> &'static str;

    /// The Chinese name.
    fn chinese(self) -> &'static str;
}

macro_rules! names {
    ($($kind:ident { $($variant:ident $chinese:literal,)* })*) => {$(
        impl Named for $kind {
            fn english(self) -> &'static str {
                self.name()
            }

            fn chinese(self) -> &'static str {
                match self {
                    $($kind::$variant => $chinese,)*
                    $kind::Unknown(name) => name.as_str(),
                }
            }
        }
    )*};
}

names! {
    DemoType {
        Virtual "线上",
        Onsite "上门",
        Showroom "展厅",
    }
    Industry {
        Manufacturing "制造业",
        Energy "能源",
        PowerGrid "电网",
        Petrochemical "石化",
        Mining "矿业",
        Logistics "物流",
        Construction "建筑",
        PublicSafety "公共安全",
        Agriculture "农业",
        Research "科研",
        Other "其他",
    }
    CompanySize {
        Startup "初创",
        Small "小型",
        Medium "中型",
        Large "大型",
        Enterprise "超大型",
    }
    ApplicationArea {
        Inspection "巡检",
        Security "安防",
        Surveying "测绘",
        Rescue "救援",
        Logistics "物流",
        Research "科研",
        Education "教育",
        Other "其他",
    }
    ProjectTimeline {
        Immediate "立即",
        ShortTerm "数月内",
        MediumTerm "一年内",
        LongTerm "一年以后",
        Exploring "尚在了解",
    }
    BudgetRange {
        Under100k "10 万以下",
        From100kTo500k "10 万至 50 万",
        From500kTo1m "50 万至 100 万",
        From1mTo5m "100 万至 500 万",
        Over5m "500 万以上",
        Undecided "未定",
    }
}
