# The footer of Redoc loads its logo from another host; this puts the word in its place. The link and the credit stay.
s#https://cdn\.redoc\.ly/redoc/logo-mini(-full)?\.svg#data:image/svg+xml,%3Csvg xmlns=%22http://www.w3.org/2000/svg%22 width=%2256%22 height=%2216%22%3E%3Ctext y=%2212%22 font-family=%22sans-serif%22 font-size=%2212%22 fill=%22%23777%22%3ERedocly%3C/text%3E%3C/svg%3E#g
