"""The demo clinic's privacy notice and consent texts, in three languages."""

PRIVACY = {
    "zh-hant": {
        "title": "病人個人資料蒐集告知",
        "body": (
            "晴安聯合診所（下稱本診所）依個人資料保護法第八條告知您：\n"
            "一、蒐集目的：醫療與健康管理、病人聯繫、醫療品質改善。\n"
            "二、資料類別：姓名、出生日期、身分證明、聯絡方式、病歷與就醫紀錄。\n"
            "三、利用期間、地區、對象與方式：醫療法規定之保存期間內，於臺灣境內，由本診所及依法得受提供之機關使用。\n"
            "四、您得查詢、閱覽、複製、補充、更正，並得請求停止蒐集、處理、利用或刪除；請洽櫃檯或個資保護窗口。\n"
            "五、您可自由選擇是否提供；若不提供必要資料，可能影響醫療服務的進行。"
        ),
    },
    "zh-hans": {
        "title": "患者个人信息收集告知",
        "body": (
            "晴安联合诊所(下称本诊所)告知您:\n"
            "一、收集目的:诊疗与健康管理、患者联系、医疗质量改进。\n"
            "二、信息类别:姓名、出生日期、身份证明、联系方式、病历与就诊记录。\n"
            "三、使用期限、地区、对象与方式:在法定保存期限内,于台湾境内,由本诊所及依法可接收的机关使用。\n"
            "四、您可以查询、阅览、复制、补充、更正,并可请求停止收集、处理、使用或删除;请联系前台或个人信息保护专员。\n"
            "五、您可以自由选择是否提供;不提供必要信息可能影响诊疗服务。"
        ),
    },
    "en": {
        "title": "Privacy notice for patients",
        "body": (
            "Qing An Joint Clinic informs you under article 8 of the Personal Data Protection Act:\n"
            "1. Purposes: medical care and health management, contacting patients, improving quality.\n"
            "2. Categories: name, birth date, identity document, contact details, medical and visit records.\n"
            "3. Period, area, recipients and manner: for the legal retention period, within Taiwan, by the clinic and by authorities entitled by law.\n"
            "4. You may inspect, copy, supplement and correct your data, and ask us to stop using or to delete them; ask the front desk or the privacy officer.\n"
            "5. You are free not to provide data; without what is necessary, care may be affected."
        ),
    },
}

MARKETING = {
    "zh-hant": {
        "title": "同意接收診所消息",
        "body": "我同意晴安聯合診所以我勾選的方式寄送診所活動與服務消息。這與看診無關，我可以隨時免費取消。",
    },
    "zh-hans": {
        "title": "同意接收诊所消息",
        "body": "我同意晴安联合诊所以我勾选的方式发送诊所活动与服务消息。这与就诊无关,我可以随时免费取消。",
    },
    "en": {
        "title": "Agreement to receive news",
        "body": "I agree that Qing An Joint Clinic may send me news of its services by the ways I tick. This is apart from my care, and I may cancel at any time, free of charge.",
    },
}
