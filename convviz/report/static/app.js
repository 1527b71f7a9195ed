(()=>{var E,vt,Nn,te,ze,Pe,yt,Se,wt,Ve,Ke,Ln,$e=Symbol.for("pv"),Ne={},Le=[],An=/^m(i|n|o|s|text|space)$/,Ge=Array.isArray,Je=Le.slice,le=Object.assign;function ie(e){e&&e.parentNode&&e.remove()}function xt(e,t,n){var s,a,o,r={},i=arguments.length;for(o in t)o=="key"?s=t[o]:o=="ref"&&typeof e!="function"?a=t[o]:r[o]=t[o];return i>2&&(r.children=i>3?Je.call(arguments,2):n),me(e,r,s,a,null)}function me(e,t,n,s,a){var o={type:e,props:t,key:n,ref:s,__k:null,__:null,__b:0,__e:null,__c:null,constructor:$e,__v:a||++vt,__i:-1,__u:0};return!a&&E.vnode&&E.vnode(o),o}function Ae(e){return e.children}function Ee(e,t){this.props=e,this.context=t,this.__g=0}function ne(e,t){if(t==null)return e.__&&ne(e.__,e.__i+1);for(var n;t<e.__k.length;t++)if((n=e.__k[t])&&n.__e)return n.__e;return typeof e.type!="function"||e.props.__P?null:ne(e)}function On(e){var t,n=e.__v,s=n.__e,a=[],o=[],r=e.__P;r&&((t=le({constructor:$e},n)).__v=n.__v+1,E.vnode&&E.vnode(t),Xe(r,t,n,e.__n,r.namespaceURI,32&n.__u?[s]:null,a,s||ne(n),32&n.__u,o),t.__v=n.__v,t.__.__k[t.__i]=t,Pt(a,t,o),n.__=n.__e=null,t.__e!=s&&kt(t))}function kt(e){if((e=e.__)&&e.__c&&!e.props.__P)return e.__e=null,e.__k.some(function(t){return t&&(e.__e=t.__e)}),kt(e)}function gt(e){(8&e.__g||(e.__g|=8,te.push(e),Pe++))&&ze==E.debounceRendering||((ze=E.debounceRendering)||queueMicrotask)(Ct)}function Ct(){try{for(var e,t=1;te.length;)te.length>t&&te.sort(yt),e=te.shift(),t=te.length,8&e.__g&&On(e)}finally{(Pe=te.length)&&(ze||queueMicrotask)(Ct)}}function St(e,t,n,s,a,o,r,i,c,p,d){var f,m,u,h,_,b,v=s.__k||Le,$=t.length;for(c=Tn(n,t,v,c,$),f=0;f<$;f++)(u=n.__k[f])!=null&&(m=~u.__i&&v[u.__i]||Ne,u.__i=f,b=Xe(e,u,m,a,o,r,i,c,p,d),h=u.__e,(m.ref!=u.ref||8&m.__u)&&(m.ref&&Ye(m.ref,null,u,m),u.ref&&d.push(u.ref,u.__c||h,u)),_=_||h,4&u.__u?(c=Et(u,c,e,!m.__v),m.__e&&(m.__e=null)):typeof u.type=="function"&&b!==void 0?c=b:h&&(c=h.nextSibling),u.__u&=-21);return n.__e=_,c}function Tn(e,t,n,s,a){var o,r,i,c,p,d,f,m,u,h=n.length,_=h,b=0,v=0,$=e.__k=Array(a);for(o=0;o<a;o++)(r=t[o])!=null&&typeof r!="boolean"&&typeof r!="function"?(typeof r!="object"||r.constructor===String?r=$[o]=me(null,r):Ge(r)?r=$[o]=me(Ae,{children:r}):r.constructor===$e&&r.__b?r=$[o]=me(r.type,r.props,r.key,r.ref,r.__v):$[o]=r,c=o+b,r.__=e,r.__b=e.__b+1,i=null,~(p=r.__i=In(r,n,c,_))&&(_--,(i=n[p])&&(i.__u|=2)),i&&i.__v?(r.__u|=16,p==c-1?b--:p==c+1?b++:p!=c&&(p>c?b--:b++,v=1)):(~p||(a>h?b--:a<h&&b++),typeof r.type!="function"&&(r.__u|=4))):$[o]=null;if(v){for(d=[],f=[],o=0;o<a;o++)if((r=$[o])&&16&r.__u){for(b=0,m=d.length;b<m;)d[u=b+m>>1]<r.__i?b=u+1:m=u;d[b]=r.__i,f[o]=b+1}for(b=d.length;o--;)f[o]&&(f[o]==b?b--:$[o].__u|=4)}if(_)for(o=0;o<h;o++)!(i=n[o])||2&i.__u||(i.__e==s&&(s=ne(i)),Ze(i,i));return s}function Et(e,t,n,s){var a,o,r,i;if(typeof e.type=="function"){if(e.props.__P)return t;if(a=e.__k)for(o=0;o<a.length;o++)a[o]&&(a[o].__=e,t=Et(a[o],t,n,!1));return t}for(t&&!t.parentNode&&(t=ne(e))&&!t.parentNode&&(t=null),r=e.__e,i=t;i&&i.nodeType==8;)i=i.nextSibling;for(r!=i&&(!s&&n.moveBefore&&r.parentNode?n.moveBefore(r,t):n.insertBefore(r,t||null)),t=r;(t=t&&t.nextSibling)&&t.nodeType==8&&!t.data.startsWith("$s"););return t}function In(e,t,n,s){var a,o=e.key,r=e.type,i=t[n],c=i&&!(2&i.__u);if(i===null&&o==null||c&&o==i.key&&r==i.type)return n;if(s>(c?1:0)){for(a=n-1;a>=0;a--)if((i=t[a])&&!(2&i.__u)&&o==i.key&&r==i.type)return a;for(a=n+1;a<t.length;a++)if((i=t[a])&&!(2&i.__u)&&o==i.key&&r==i.type)return a}return-1}function bt(e,t,n){n==null&&(n=""),t[0]=="-"?e.setProperty(t,n):e[t]=n}function Ce(e,t,n,s,a){var o,r;if(t=="style")if(typeof n=="string")e.style.cssText=n;else{if(typeof s=="string"&&(e.style.cssText=s=""),s)for(t in s)n&&t in n||bt(e.style,t);if(n)for(t in n)s&&n[t]==s[t]||bt(e.style,t,n[t])}else if(t[0]=="o"&&t[1]=="n")typeof n!="function"&&(n=null),typeof s!="function"&&(s=null),(e.__e||(e.__e={}))[t]=n,n&&s||(r=Ke[t]||(Ke[t]=Rn(t)),(e.__a||(e.__a={}))[t]=Ve,o=t!=(t=t.replace(wt,"$1")),(t=t.slice(2))[0]<"a"&&(t=t.toLowerCase()),n?e.addEventListener(t,r,o):e.removeEventListener(t,r,o));else{if(a=="http://www.w3.org/2000/svg")t=t.replace(/xlink(H|:h)/,"h").replace(/sName$/,"s");else if(t!="width"&&t!="height"&&t!="href"&&t!="list"&&t!="form"&&t!="tabIndex"&&t!="download"&&t!="rowSpan"&&t!="colSpan"&&t!="role"&&t!="popover"&&t in e)try{return void(e[t]=n??"")}catch{}if(typeof n=="function")return;n==null||n===!1&&t[4]!="-"?e.removeAttribute(t):e.setAttribute(t,t=="popover"&&n==1?"":n)}}function Rn(e){return function(t){var n=this.__e;if(n){if(n=n[e],t[Se]==null)t[Se]=Ve++;else if(t[Se]<this.__a[e])return;return n(E.event?E.event(t):t)}}}function Xe(e,t,n,s,a,o,r,i,c,p){var d,f,m,u,h,_,b,v,$,w,y,g,k,x,M,B,z,G,X=t.type;if(t.constructor!==$e)return null;128&n.__u&&(c=32&n.__u,d=n.__c.__z)&&(t.__u|=c,f=o=[],d.nodeType==8?i=Me(d,o):o.push(d),i=o[0]||i),(d=E.__b)&&d(t);e:if(typeof X=="function"){m=r.length;try{if(v=t.props,$=(d=X.prototype)&&d.render,w=(d=X.contextType)&&s[d.__c],y=d?w?w.props.value:d.__:s,(u=n.__c)?(t.__c=u,2&u.__g&&(u.__g|=1)):($?t.__c=u=new X(v,y):(t.__c=u=new Ee(v,y),u.constructor=X,u.render=Bn),w&&w.sub(u),u.state||(u.state={}),u.__n=s,u.__g|=8,u.__h=[],u.__k=[]),$&&(u.__s||(u.__s=u.state),X.getDerivedStateFromProps&&(u.__s==u.state&&(u.__s=le({},u.__s)),le(u.__s,X.getDerivedStateFromProps(v,u.__s)))),h=u.props,_=u.state,u.__v=t,n.__c){if(v!==h&&$&&!X.getDerivedStateFromProps&&u.componentWillReceiveProps&&u.componentWillReceiveProps(v,y),t.__v==n.__v&&!(8&u.__g)||!(4&u.__g)&&u.shouldComponentUpdate&&u.shouldComponentUpdate(v,u.__s,y)===!1){t.__v!=n.__v&&(u.props=v,u.state=u.__s,u.__g&=-9),t.__e=n.__e,t.__k=n.__k,t.__k.some(function(F){F&&(F.__=t)}),Le.push.apply(u.__h,u.__k),u.__k=[],u.__h.length&&r.push(u),i=ne(n);break e}u.componentWillUpdate&&u.componentWillUpdate(v,u.__s,y),$&&u.componentDidUpdate&&u.__h.push(function(){u.componentDidUpdate(h,_,b)})}else $&&!X.getDerivedStateFromProps&&u.componentWillMount&&u.componentWillMount(),$&&u.componentDidMount&&u.__h.push(u.componentDidMount);u.context=y,u.props=v,u.__P=e,u.__g&=-5,g=E.__r,k=$?25:0;do u.__g&=-9,g&&g(t),d=u.render(u.props,u.state=u.__s,u.context);while(8&u.__g&&++k<25);$&&(Le.push.apply(u.__h,u.__k),u.__k=[]),u.state=u.__s,u.getChildContext&&(s=le({},s,u.getChildContext())),$&&n.__c&&u.getSnapshotBeforeUpdate&&(b=u.getSnapshotBeforeUpdate(h,_)),x=d&&d.type===Ae&&d.key==null?d.props.children:d,v.__P&&(d=i,a=(e=v.__P).namespaceURI,c=o=null,n.props&&n.props.__P!=e&&(n.__k.some(function(F){F&&Ze(F,F)}),n.__k=null),i=n.__k?ne(n,0):null),i=St(e,Ge(x)?x:[x],t,n,s,a,o,r,i,c,p),v.__P&&(t.__e=null,i=d),t.__u&=-161,f&&f.some(ie),u.__h.length&&r.push(u),1&u.__g&&(u.__g&=-4)}catch(F){if(r.length=m,t.__v=null,c||o)if(F&&F.then){if(t.__u|=128|c,o){for(~(z=o.indexOf(i||void 0))||(z=o.length);(G=o[z-1])&&G.nodeType==8;)z--;for(;z<o.length;z++)if(G=o[z])if(o[z]=null,M){if(G==B)break}else{if(G.nodeType!=8)break;G.data.startsWith("$s")&&(B=Me(M=G))}}if(!M){for(;i&&i.nodeType==8&&i.nextSibling;)i=i.nextSibling;M=i}(d=Me(M=t.__c.__z||(t.__c.__z=M)))?(t.__e=M,i=d):t.__e=i,i=i&&i.nextSibling}else o&&o.some(ie);else t.__e=n.__e;t.__k||(t.__k=n.__k||[]),F&&F.then||Mt(t),E.__e(F,t,n)}}else i=t.__e=Dn(n.__e,t,n,s,a,o,r,c,p,e);return(d=E.diffed)&&d(t),i}function Me(e,t){if(e&&e.nodeType==8&&e.data.startsWith("$s"))for(var n=1;e=e.nextSibling;){if(e.nodeType==8){if(e.data.startsWith("$s"))n++;else if(e.data.startsWith("/$s")&&!--n)return e}t&&t.push(e)}}function Mt(e){e&&(e.__c&&(e.__c.__g|=4),e.__k&&e.__k.some(Mt))}function Pt(e,t,n){for(var s=0;s<n.length;)Ye(n[s++],n[s++],n[s++]);E.__c&&E.__c(t,e),e.some(function(a){try{e=a.__h,a.__h=[],e.some(function(o){o.call(a)})}catch(o){E.__e(o,a.__v)}})}function Dn(e,t,n,s,a,o,r,i,c,p){var d,f,m,u,h,_,b,v,$=n.props||Ne,w=t.props,y=t.type;if(y=="svg"?a="http://www.w3.org/2000/svg":y=="math"?a="http://www.w3.org/1998/Math/MathML":a||(a="http://www.w3.org/1999/xhtml"),o){for(d=0;d<o.length;d++)if((h=o[d])&&(y?h.localName==y:h.nodeType==3)){e=h,o[d]=null;break}}if(!e){if(v=p.ownerDocument||document,!y)return v.createTextNode(w);e=v.createElementNS(a,y,w.is?w:p),i&&(E.__m&&E.__m(t,o),i=!1),o=null}if(y){if(p=y=="template"&&e.content||e,o=y=="textarea"&&w.defaultValue!=null?null:o&&Je.call(p.childNodes),!i&&o)for($={},d=0;d<e.attributes.length;d++)$[(h=e.attributes[d]).name]=h.value;for(d in $)h=$[d],d=="dangerouslySetInnerHTML"?m=h:d=="children"||d in w||d=="value"&&"defaultValue"in w||d=="checked"&&"defaultChecked"in w||Ce(e,d,null,h,a);for(d in w)h=w[d],d=="children"?u=h:d=="dangerouslySetInnerHTML"?f=h:d=="value"?_=h:d=="checked"?b=h:i&&typeof h!="function"||$[d]===h||Ce(e,d,h,$[d],a);f?(i||m&&(f.__html==m.__html||f.__html==e.innerHTML)||(e.innerHTML=f.__html),t.__k=[]):(m&&(e.textContent=""),(y=="foreignObject"||a=="http://www.w3.org/1998/Math/MathML"&&An.test(y))&&(a="http://www.w3.org/1999/xhtml"),St(p,Ge(u)?u:[u],t,n,s,a,o,r,o?o[0]:n.__k&&ne(n,0),i,c),o&&o.some(ie)),i&&y!="textarea"||(d="value",y=="progress"&&_==null?e.removeAttribute(d):_==null||_===e[d]&&(y!="progress"||_)||Ce(e,d,_,$[d],a),d="checked",b!=null&&b!=e[d]&&Ce(e,d,b,$[d],a))}else $===w||i&&e.data==w||(e.data=w);return e}function Ye(e,t,n,s){try{typeof e=="function"?t?t.__x=e(t)||1:s&&(s=s.__c||s.__e)&&(t=s.__x)&&(s.__x=null,typeof t=="function"?t():e(null)):e.current=t}catch(a){E.__e(a,n)}}function Ze(e,t,n){var s,a,o,r;if(E.unmount&&E.unmount(e),!(s=e.ref)||s.current&&s.current!=e.__e||Ye(s,null,t,e),s=e.__c){if(s.componentWillUnmount)try{s.componentWillUnmount()}catch(i){E.__e(i,t)}s.__P=s.__n=null}if(s=e.__k)for(r=0;r<s.length;r++)s[r]&&Ze(s[r],t,typeof e.type!="function"||n&&!e.props.__P);!n&&(s=e.__c)&&(s=s.__z)&&(a=Me(s,o=[]))&&(s==e.__e&&o.some(ie),ie(a),ie(s)),n||ie(e.__e),e.__e=e.__c=e.__=null}function Bn(e,t,n){return this.constructor(e,n)}function U(e,t){var n,s,a,o;E.__&&E.__(e,t),t.nodeType==9&&(t=t.documentElement),s=(n=e&&32&e.__u)?null:t.__k,t.__k=me(Ae,{children:[e]}),a=[],o=[],Xe(t,t.__k,s||Ne,Ne,t.namespaceURI,s?null:t.firstChild?Je.call(t.childNodes):null,a,s?s.__e:t.firstChild,n,o),Pt(a,t.__k,o),t.__k.props.children=null}E={__e:function(e,t,n,s){for(var a,o,r;t=t.__;)if((a=t.__c)&&!(1&a.__g)){a.__g|=4;try{if((r=(o=a.constructor)&&o.getDerivedStateFromError)&&a.setState(o.getDerivedStateFromError(e)),a.componentDidCatch&&(a.componentDidCatch(e,s||{}),r=1),r&&8&a.__g)return void(a.__g|=2)}catch(i){e=i}}throw Pe=0,e}},vt=0,Nn=function(e){return e!=null&&e.constructor===$e},Ee.prototype.setState=function(e,t){var n=this.__s;n&&n!=this.state||(n=this.__s=le({},this.state)),typeof e=="function"&&(e=e(le({},n),this.props)),e&&(le(n,e),this.__v&&(t&&this.__k.push(t),gt(this)))},Ee.prototype.forceUpdate=function(e){this.__v&&(this.__g|=4,e&&this.__h.push(e),gt(this))},Ee.prototype.render=Ae,te=[],Pe=0,yt=function(e,t){return e.__v.__b-t.__v.__b},Se=Symbol(),wt=/(PointerCapture)$|Capture$/i,Ve=0,Ke={},Ln=0;var he,O,Qe,Nt,et=Object.is,Oe=0,jt=[],tt=[],L=E,Lt=L.__b,At=L.__r,Ot=L.diffed,Tt=L.__c,It=L.unmount,Rt=L.__;function Te(e,t){L.__h&&L.__h(O,e,Oe||t),Oe=0;var n=O.__H||(O.__H={__:[],__h:[]});return e>=n.__.length&&n.__.push({}),n.__[e]}function A(e){return Oe=1,jn(Ut,e)}function jn(e,t,n){var s=Te(he++,2);if(s.t=e,!s.__c&&(s.__=[n?n(t):Ut(void 0,t),function(o){var r=(s.__N||s.__)[0],i=s.t(r,o);et(r,i)||(s.__N=[i,s.__[1]],s.__c.setState({}))}],s.__c=O,!O.__f)){O.__f=!0;var a=O.shouldComponentUpdate;O.shouldComponentUpdate=function(o,r,i){var c=this.__H;if(!c)return!0;var p=!1,d=this.props!=o;if(c.__.some(function(m){m.__N&&(p=!0,et(m.__[0],m.__N[0])||(d=!0))}),a){var f=a.call(this,o,r,i);return p?f||d:f}return!p||d}}return s.__}function N(e,t){var n=Te(he++,3);!L.__s&&st(n.__H,t)&&(n.__P=!0,n.__=e,n.u=t,O.__H.__h.push(n))}function Ht(e,t){var n=Te(he++,4);!L.__s&&st(n.__H,t)&&(n.__P=!1,n.__=e,n.u=t,O.__h.push(n))}function j(e){return Oe=5,se(function(){return{current:e}},[])}function se(e,t){var n=Te(he++,7);return st(n.__H,t)&&(n.__=e(),n.__H=t),n.__}function Hn(){var e;do{for(;e=tt.shift();)try{_e(e)}catch(n){L.__e(n,{__:(e=e.__P)&&e.__v})}for(;e=jt.shift();){var t=e.__H;if(e.__P&&t)try{t.__h.some(_e),t.__h.some(nt),t.__h=[]}catch(n){t.__h=[],L.__e(n,e.__v)}}}while(tt.length)}L.__b=function(e){O=null,Lt&&Lt(e)},L.__=function(e,t){e&&t.__k&&t.__k.__m&&(e.__m=t.__k.__m),Rt&&Rt(e,t)},L.__r=function(e){At&&At(e),he=0;var t=(O=e.__c).__H;t&&(Qe==O?O.__h=[]:(t.__h.some(_e),t.__h.some(nt),he=0),t.__h=[],t.__.some(function(n){n.__N&&(n.__=n.__N),n.u=n.__N=void 0})),Qe=O},L.diffed=function(e){Ot&&Ot(e);var t=e.__c;t&&t.__H&&(t.__H.__h.length&&Bt(jt.push(t)),t.__H.__.some(function(n){n.u&&(n.__H=n.u)})),Qe=O=null},L.__c=function(e,t){t.some(function(n){try{n.__h.some(_e),n.__h=n.__h.filter(function(s){return!s.__||nt(s)})}catch(s){n.__h=[function(){throw s}]}}),Tt&&Tt(e,t)},L.unmount=function(e){It&&It(e);var t,n,s=e.__c;s&&s.__H&&(s.__H.__.some(function(a){try{if(a.__P&&a.__c){if(n===void 0){for(n=e.__;n&&(!n.__c||!n.__c.__P);)n=n.__;n=n&&n.__c}a.__P=n,Bt(tt.push(a))}else _e(a)}catch(o){t=o}}),s.__H=void 0,t&&L.__e(t,s.__v))};var Dt=typeof requestAnimationFrame=="function";function Un(e){var t,n=function(){clearTimeout(s),Dt&&cancelAnimationFrame(t),setTimeout(e)},s=setTimeout(n,35);Dt&&(t=requestAnimationFrame(n))}function Bt(e){e!=1&&Nt==L.requestAnimationFrame||((Nt=L.requestAnimationFrame)||Un)(Hn)}function _e(e){var t=O,n=e.__c;typeof n=="function"&&(e.__c=void 0,n()),O=t}function nt(e){var t=O;e.__c=e.__(),O=t}function st(e,t){return!e||e.length!=t.length||t.some(function(n,s){return!et(n,e[s])})}function Ut(e,t){return typeof t=="function"?t(e):t}var Wt=function(e,t,n,s){var a;t[0]=0;for(var o=1;o<t.length;o++){var r=t[o++],i=t[o]?(t[0]|=r?1:2,n[t[o++]]):t[++o];r===3?s[0]=i:r===4?s[1]=Object.assign(s[1]||{},i):r===5?(s[1]=s[1]||{})[t[++o]]=i:r===6?s[1][t[++o]]+=i+"":r?(a=e.apply(i,Wt(e,i,n,["",null])),s.push(a),i[0]?t[0]|=2:(t[o-2]=0,t[o]=a)):s.push(i)}return s},Ft=new Map;function qt(e){var t=Ft.get(this);return t||(t=new Map,Ft.set(this,t)),(t=Wt(this,t.get(e)||(t.set(e,t=(function(n){for(var s,a,o=1,r="",i="",c=[0],p=function(m){o===1&&(m||(r=r.replace(/^\s*\n\s*|\s*\n\s*$/g,"")))?c.push(0,m,r):o===3&&(m||r)?(c.push(3,m,r),o=2):o===2&&r==="..."&&m?c.push(4,m,0):o===2&&r&&!m?c.push(5,0,!0,r):o>=5&&((r||!m&&o===5)&&(c.push(o,0,r,a),o=6),m&&(c.push(o,m,0,a),o=6)),r=""},d=0;d<n.length;d++){d&&(o===1&&p(),p(d));for(var f=0;f<n[d].length;f++)s=n[d][f],o===1?s==="<"?(p(),c=[c],o=3):r+=s:o===4?r==="--"&&s===">"?(o=1,r=""):r=s+r[0]:i?s===i?i="":r+=s:s==='"'||s==="'"?i=s:s===">"?(p(),o=1):o&&(s==="="?(o=5,a=r,r=""):s==="/"&&(o<5||n[d][f+1]===">")?(p(),o===3&&(c=c[0]),o=c,(c=c[0]).push(2,0,o),o=0):s===" "||s==="	"||s===`
`||s==="\r"?(p(),o=2):r+=s),o===3&&r==="!--"&&(o=4,c=c[0])}return p(),c})(e)),t),arguments,[])).length>1?t:t[0]}var l=qt.bind(xt);var oe=window.convvizShared??={chunks:new Map,received:new Map};window.convvizChunk=(e,t)=>oe.received.set(e,t);var ge=document.documentElement.dataset.root??"",T=e=>e.startsWith("data:image/")?e:ge+e.split("/").map(encodeURIComponent).join("/");function R(e){if(!oe.chunks.has(e)){let t=new Promise((n,s)=>{let a=document.createElement("script");a.src=T(`data/${e}.js`);let o=()=>{oe.chunks.delete(e),s(new Error(`data/${e}.js cannot be read`))};a.onerror=o,a.onload=()=>{if(a.remove(),!oe.received.has(e))return o();n(oe.received.get(e)),oe.received.delete(e)},document.head.append(a)});oe.chunks.set(e,t)}return oe.chunks.get(e)}var ue=()=>R("site");function W(e,t){let[n,s]=A({});return Ht(()=>{let a=!0;return e().then(o=>a&&s({value:o}),o=>a&&s({error:o})),()=>a=!1},t),[n.value,n.error]}var ae=()=>Object.fromEntries(new URLSearchParams(location.hash.slice(1)));function Ie(e){let t=new URLSearchParams(location.hash.slice(1));for(let[n,s]of Object.entries(e))s==null||s===""?t.delete(n):t.set(n,s);return`#${t}`}function S(e,{replace:t=!1}={}){let n=Ie(e);n===location.hash||n==="#"&&!location.hash||(history[t?"replaceState":"pushState"](null,"",n),window.dispatchEvent(new Event("convviz:state")))}function be(e){let t=["convviz:state","hashchange","popstate"];for(let n of t)window.addEventListener(n,e);return()=>t.forEach(n=>window.removeEventListener(n,e))}function H(){let[e,t]=A(ae);return N(()=>be(()=>t(ae())),[]),e}var Fn="input:not([type=checkbox]):not([type=radio]), textarea, select";function J(e){N(()=>{let t=n=>{if(n.ctrlKey||n.metaKey||n.altKey||n.target.matches?.(Fn))return;let s=e[n.key];s&&(n.preventDefault(),s(n))};return document.addEventListener("keydown",t),()=>document.removeEventListener("keydown",t)})}async function Y(e){let{block:t}=await ue(),n=Math.floor(e/t),s=await R(`items-${String(n).padStart(3,"0")}`);return ot(s,e)}function ot(e,t){let n=t-e.start,s=a=>a?.[n]??null;return{row:t,name:e.names[n],label:s(e.labels),predicted:s(e.predicted),probability:s(e.probability),correct:s(e.correct),size:s(e.sizes),preview:s(e.previews),thumb:e.thumbs&&{...e.thumbs,index:n}}}function ve({tile:e,size:t,label:n="",className:s=""}){if(!e)return l`<span class="tile missing ${s}" style=${{width:ce(t),height:ce(t)}}></span>`;let a=t/e.tile,o=e.index%e.columns*t,r=Math.floor(e.index/e.columns)*t,i={width:ce(t),height:ce(t),backgroundImage:`url("${T(e.atlas)}")`,backgroundPosition:`-${ce(o)} -${ce(r)}`,backgroundSize:`${ce(e.columns*e.tile*a)} auto`};return l`<span class="tile ${s}" style=${i} ...${n?{role:"img","aria-label":n}:{"aria-hidden":"true"}}></span>`}var Re=e=>`${T("image.html")}#id=${e}`,ce=e=>`${Math.round(e*1e3)/1e3}px`;function C(e,t=3){return e==null||Number.isNaN(e)?"–":e!==0&&(Math.abs(e)>=1e6||Math.abs(e)<.001)?e.toExponential(t-1):String(Number(e.toPrecision(t)))}function K(e){if(e==null)return"–";let t=e*100;return t===0||t===100?`${t} %`:`${t<10?Number(t.toPrecision(t<1?1:2)):Math.min(99.9,Number(t.toFixed(1)))} %`}var P=e=>String(e).replace(/\B(?=(\d{3})+(?!\d))/g," ");async function Wn(e){try{await navigator.clipboard.writeText(e)}catch{let t=document.createElement("textarea");t.value=e,t.className="offscreen",document.body.append(t),t.select(),document.execCommand("copy"),t.remove()}}function q({text:e,children:t}){let[n,s]=A(!1);return l`<button type="button" class="quiet" onClick=${async()=>{await Wn(typeof e=="function"?e():e),s(!0),setTimeout(()=>s(!1),1500)}}>
    ${n?"Copied":t}<span class="offscreen" aria-live="polite">${n?"copied":""}</span>
  </button>`}function at(e,t,n){let s=document.createElement("a");s.href=URL.createObjectURL(new Blob([t],{type:n})),s.download=e,s.click(),setTimeout(()=>URL.revokeObjectURL(s.href),1e3)}function zt(e,t){let n=s=>{if(s==null)return"";if(typeof s=="number")return String(s);let a=/^[=+\-@\t\r]/.test(String(s))?`'${s}`:String(s);return/[",\n\r]/.test(a)?`"${a.replaceAll('"','""')}"`:a};return[e,...t].map(s=>s.map(n).join(",")).join(`\r
`)+`\r
`}var D=({error:e})=>l`<p class="problem" role="alert">${e.message}.</p>`;function qn(){for(let e of document.querySelectorAll(".top nav [aria-current], .layers [aria-current]")){let[t,n]=[e.parentElement,e.getBoundingClientRect()],{left:s,right:a}=t.getBoundingClientRect();(n.left<s||n.right>a)&&(t.scrollLeft+=(n.left+n.right-s-a)/2)}}var I=()=>{document.body.dataset.ready!=="true"&&qn(),document.body.dataset.ready="true"};var zn=e=>{let t=e.dataset.value??e.textContent.trim(),n=Number(t);return t!==""&&Number.isFinite(n)?n:t},Kn=e=>[...e.cells].filter(t=>!t.classList.contains("number")).map(t=>t.textContent.toLowerCase()).join(" ");function Vn(e,t,n){return e===""||t===""?(e==="")-(t===""):typeof e=="number"&&typeof t=="number"?n*(e-t):n*String(e).localeCompare(String(t),void 0,{numeric:!0})}function Gn(e){let t=e.dataset.state,n=e.tBodies[0],s=[...n.rows],a=[...e.tHead.rows[0].cells],o=document.createElement("input"),r=document.createElement("span");for(let p of a){let d=document.createElement("button");d.type="button",d.className="sort",d.append(...p.childNodes),p.append(d),d.addEventListener("click",()=>{let f=p.getAttribute("aria-sort")==="descending",m=p.classList.contains("number"),h=!p.hasAttribute("aria-sort")?m?"down":"up":f?"up":"down";S({[`${t}-sort`]:`${p.dataset.key}-${h}`},{replace:!0})})}o.type="search",o.placeholder=e.dataset.filter,o.setAttribute("aria-label",e.dataset.filter),o.addEventListener("input",()=>S({[`${t}-filter`]:o.value},{replace:!0})),r.className="note",r.setAttribute("aria-live","polite");let i=document.createElement("div");i.className="bar-of-controls",i.append(o,r),e.parentElement.before(i);let c=()=>{let p=ae(),[,d,f]=/^(.*)-(up|down)$/.exec(p[`${t}-sort`]??"")??[],m=a.findIndex(b=>b.dataset.key===d);a.forEach((b,v)=>{v===m?b.setAttribute("aria-sort",f==="up"?"ascending":"descending"):b.removeAttribute("aria-sort")});let u=(p[`${t}-filter`]??"").toLowerCase();document.activeElement!==o&&(o.value=p[`${t}-filter`]??"");let _=(m<0?s:s.map(b=>[zn(b.cells[m]),b]).sort((b,v)=>Vn(b[0],v[0],f==="up"?1:-1)).map(([,b])=>b)).filter(b=>Kn(b).includes(u));n.replaceChildren(..._),r.textContent=u?`${_.length} of ${s.length}`:""};c(),be(c)}var De=()=>document.querySelectorAll("table.sortable").forEach(Gn);var de=560,Jn=7,Xn=12,Kt=(e,t)=>`images.html#${new URLSearchParams({class:e,predicted:t})}`;function Yn(e,t){return(n,s)=>{let a=null,o=Jn;for(let r of e){let i=Math.max(Math.abs((r[1]+.5)*t-n),Math.abs((r[0]+.5)*t-s))-t/2;(i<o||i===o&&r[2]>a[2])&&([a,o]=[r,i])}return a}}function Zn(e,t,n){let s=window.devicePixelRatio||1;e.width=e.height=de*s;let a=e.getContext("2d"),o=getComputedStyle(e),[r,i,c]=["--right","--wrong","--line"].map(m=>o.getPropertyValue(m)),p=de/t.length,d=n.reduce((m,u)=>Math.max(m,u[2]),1);a.scale(s,s),a.strokeStyle=c,a.beginPath(),a.moveTo(0,0),a.lineTo(de,de),a.stroke();let f=Math.max(p,3);for(let[m,u,h]of n)a.globalAlpha=.35+.65*Math.sqrt(h/d),a.fillStyle=m===u?r:i,a.fillRect((u+.5)*p-f/2,(m+.5)*p-f/2,f,f)}function Qn(e,t){let n=new Array(e.length).fill(0);for(let[s,a,o]of t)s!==a&&(n[s]+=o);return n.indexOf(Math.max(...n))}function es({names:e,cells:t,name:n}){let s=e.indexOf(n);if(s<0)return n?l`<p class="note">No class has this name.</p>`:null;let a=(r,i)=>{let c=r.sort((p,d)=>d[2]-p[2]);return l`<div>
      <h4>${i}</h4>
      ${c.length===0&&l`<p class="note">none</p>`}
      <ul>
        ${c.slice(0,Xn).map(([p,d,f])=>l`<li key=${`${p}-${d}`}>
          <a href=${Kt(e[p],e[d])}>${e[p===s?d:p]}</a> ${f}
        </li>`)}
      </ul>
    </div>`},o=t.filter(r=>r[0]!==r[1]);return l`<div class="class-confusions">
    ${a(o.filter(r=>r[0]===s),"Its images predicted as another class")}
    ${a(o.filter(r=>r[1]===s),"Images of other classes predicted as it")}
  </div>`}function ts({name:e}){let[t,n]=W(()=>R(e),[e]),s=j(),[a,o]=A(null),{confusions:r}=H();if(N(()=>{if(!t)return;let h=()=>Zn(s.current,t.names,t.cells),_=window.matchMedia("(prefers-color-scheme: dark)");return h(),_.addEventListener("change",h),()=>_.removeEventListener("change",h)},[t]),n)return l`<${D} error=${n} />`;if(!t)return l`<p class="note">The matrix is loading …</p>`;let{names:i,cells:c}=t,p=Yn(c,de/i.length),d=r??i[Qn(i,c)],f=h=>{let _=s.current.getBoundingClientRect();return p((h.clientX-_.left)/_.width*de,(h.clientY-_.top)/_.height*de)},m=h=>{let _=f(h);_&&(location.href=Kt(i[_[0]],i[_[1]]))},u=a?`${i[a[0]]}, predicted as ${i[a[1]]}: ${a[2]} ${a[2]===1?"image":"images"}`:"Point at a cell to read it; click it to see its images.";return l`<h3>All ${i.length} classes</h3>
    <div class="columns">
      <figure class="whole">
        <canvas ref=${s} class=${a?"pointing":""} role="img"
          aria-label="Confusion matrix of all classes; the field beside it lists the confusions of a class"
          onPointerMove=${h=>o(f(h))} onPointerLeave=${()=>o(null)} onClick=${m}></canvas>
        <figcaption>${u}</figcaption>
      </figure>
      <div>
        <label class="field">Confusions of a class
          <input type="search" list="confused-classes" value=${d}
            onInput=${h=>S({confusions:h.target.value},{replace:!0})} />
        </label>
        <datalist id="confused-classes">${i.map(h=>l`<option value=${h} />`)}</datalist>
        <${es} names=${i} cells=${c} name=${d} />
      </div>
    </div>`}function Vt(){De();let e=document.getElementById("full-matrix");e&&U(l`<${ts} name=${e.dataset.chunk} />`,e),I()}var ye=254,ns=255,Jt="convviz-maps",ss={opacity:.65,smooth:!0,shared:!1},it=e=>Uint8Array.from(atob(e),t=>t.charCodeAt(0));function os(){try{return JSON.parse(localStorage.getItem(Jt))??{}}catch{return{}}}function as(e){try{localStorage.setItem(Jt,JSON.stringify(e))}catch{}}var Xt=(e,t)=>t===ns?null:e.low+t/ye*(e.high-e.low);function rs(e,t,n,[s,a]){let o=new ImageData(e.width,e.height);for(let r=0;r<t.length;r++){let i=Xt(e,t[r]);if(i===null)continue;let c=Math.min(1,Math.max(0,(i-s)/(a-s||1))),p=3*Math.round(c*ye);o.data.set([n[p],n[p+1],n[p+2],255],4*r)}return o}function is({palette:e,range:t,unit:n,isSigned:s}){let a=j();N(()=>{let c=a.current.getContext("2d"),p=new ImageData(ye+1,1);for(let d=0;d<=ye;d++)p.data.set([...e.subarray(3*d,3*d+3),255],4*d);c.putImageData(p,0,0)},[e]);let[o,r]=t,i=s?`red: ${n||"value"} above zero, blue: below zero`:`bright: high ${n||"value"}`;return l`<div class="colour-bar">
    <canvas ref=${a} width=${ye+1} height="1" aria-hidden="true"></canvas>
    <span class="ends"><span>${C(o)}</span>${s&&l`<span>0</span>`}<span>${C(r)}</span></span>
    <span class="muted small">${i}</span>
  </div>`}var Yt=16,rt={factor:1,x:.5,y:.5};function Be(e,t,n){let s=Math.min(Yt,Math.max(1,e)),a=.5/s,o=r=>Math.min(1-a,Math.max(a,r));return{factor:s,x:o(t),y:o(n)}}function Gt(e,{factor:t,x:n,y:s}){let a=e.currentTarget.getBoundingClientRect();return[n+((e.clientX-a.left)/a.width-.5)/t,s+((e.clientY-a.top)/a.height-.5)/t]}function ls({panel:e,title:t,palette:n,range:s,choices:a,cross:o,setCross:r,zoom:i,setZoom:c,isBare:p}){let d=j(),f=j(null),m=se(()=>e.values&&it(e.values),[e]);N(()=>{m&&d.current.getContext("2d").putImageData(rs(e,m,n,s),0,0)},[m,n,s[0],s[1]]);let u=p?0:e.view&&!e.picture?a.opacity:1,h=g=>{f.current={x:g.clientX,y:g.clientY,zoom:i,isMoved:!1},g.currentTarget.setPointerCapture(g.pointerId)},_=g=>{r(Gt(g,i));let k=f.current;if(!k)return;let x=g.currentTarget.getBoundingClientRect(),[M,B]=[(g.clientX-k.x)/x.width,(g.clientY-k.y)/x.height];k.isMoved||=Math.hypot(g.clientX-k.x,g.clientY-k.y)>4,k.isMoved&&c(Be(i.factor,k.zoom.x-M/i.factor,k.zoom.y-B/i.factor))},b=g=>{let k=f.current&&!f.current.isMoved;if(f.current=null,!k||g.button!==0)return;let[x,M]=Gt(g,i);c(g.shiftKey?Be(i.factor/2,i.x,i.y):Be(i.factor*2,x,M))},v="";if(o&&m){let g=Math.min(e.width-1,Math.max(0,Math.floor(o[0]*e.width))),k=Math.min(e.height-1,Math.max(0,Math.floor(o[1]*e.height))),x=Xt(e,m[k*e.width+g]);v=x===null?"no value":C(x)}let $=a.smooth?"":"crisp",w=(g,k)=>`${100*(.5+(g-k)*i.factor)}%`,y={transform:`translate(${100*(.5-i.x*i.factor)}%, ${100*(.5-i.y*i.factor)}%) scale(${i.factor})`};return l`<div class="map-panel ${i.factor>1?"is-zoomed":""}" onPointerDown=${h} onPointerMove=${_} onPointerUp=${b}
      onPointerCancel=${()=>f.current=null} onPointerLeave=${()=>r(null)}>
    <div class="map-layers" style=${y}>
      ${e.view&&l`<img class=${i.factor>2?"crisp":""} src=${T(e.view)} alt="" draggable=${!1} />`}
      ${e.picture?l`<img class=${`over ${$}`} src=${T(e.picture)} style=${{opacity:u}} alt=${t} />`:l`<canvas ref=${d} class=${`over ${$}`} width=${e.width} height=${e.height} style=${{opacity:u}}
            role="img" aria-label=${t}></canvas>`}
    </div>
    ${o&&l`<span class="cross" style=${{left:w(o[0],i.x),top:w(o[1],i.y)}}></span>`}
    <output class="reading">${v}</output>
  </div>`}function cs({chunk:e,nameOf:t}){if(!e.agreements.length)return null;let n=e.agreements.map(({panels:s,correlation:a,overlap:o})=>{let[r,i]=s.map(d=>e.panels[d]),c=r.row===i.row;return{names:[r,i].map(d=>c?t.column(d.column):t.row(d.row)),of:c?t.row(r.row):t.column(r.column),correlation:a,overlap:o}});return l`<details class="agreements" open>
    <summary>Agreement of the maps</summary>
    <div class="scroll" tabindex="0" role="group" aria-label="Agreement of the maps">
      <table>
        <thead><tr><th scope="col">maps</th><th scope="col">for</th><th scope="col" class="number">rank correlation</th>
          <th scope="col" class="number">overlap of the top 10 %</th></tr></thead>
        <tbody>${n.map(({names:s,of:a,correlation:o,overlap:r},i)=>l`<tr key=${i}>
          <th scope="row">${s[0]} – ${s[1]}</th><td>${a}</td>
          <td class="number">${o===null?"flat map":o.toFixed(2)}</td>
          <td class="number">${K(r)}</td></tr>`)}</tbody>
      </table>
    </div>
    <p class="note">Rank correlation over the pixels: 1 is the same order, 0 none. Chance gives an overlap of 10 %.
      Two signed maps are compared by value, others by magnitude.</p>
  </details>`}function us(e,t,n){if(!n)return[t.low,t.high];let s=e.filter(a=>a.column===t.column&&a.values);return[Math.min(...s.map(a=>a.low)),Math.max(...s.map(a=>a.high))]}function ds(e){return e.map(t=>{let n=e.filter(({name:a})=>a===t.name),s=Object.entries(t.parameters).filter(([a,o])=>n.some(r=>r.parameters[a]!==o)).map(([a,o])=>`${a}=${o}`);return[t.name,t.layer,...s].filter(Boolean).join(" ")})}function ps({chunk:e,choices:t,onChoices:n,only:s,onOnly:a,keyTarget:o=document}){let[r,i]=A(null),[c,p]=A(rt),[d,f]=A(!1),m=se(()=>({signed:it(e.palettes.signed),plain:it(e.palettes.plain)}),[e]),u=g=>n({...t,...g});N(()=>{let g=k=>{k.key!==" "||k.target.closest?.("input, button, select, a, textarea")||(k.preventDefault(),f(k.type==="keydown"))};return o.addEventListener("keydown",g),o.addEventListener("keyup",g),()=>{o.removeEventListener("keydown",g),o.removeEventListener("keyup",g)}},[o]);let h=g=>p(Be(c.factor*g,...r??[c.x,c.y]));J(o===document?{"+":()=>h(2),"=":()=>h(2),"-":()=>h(.5),0:()=>p(rt)}:{});let b=new Set(e.rows.map(g=>g.model)),v={row:g=>[e.rows[g].target,b.size>1&&e.rows[g].model].filter(Boolean).join(" · "),column:g=>w[g]},$=e.columns.map((g,k)=>({...g,place:k})).filter(g=>s===void 0||g.name===s),w=ds(e.columns),y=$.length?$:e.columns.map((g,k)=>({...g,place:k}));return l`<div class="bar-of-controls">
      <label class="field">Opacity
        <input type="range" min="0" max="1" step="0.05" value=${t.opacity}
          onInput=${g=>u({opacity:Number(g.target.value)})} /></label>
      <label class="field"><input type="checkbox" checked=${t.smooth}
        onChange=${g=>u({smooth:g.target.checked})} /> smooth</label>
      ${e.rows.length>1&&l`<label class="field">Scale
        <select value=${t.shared?"shared":"own"} onChange=${g=>u({shared:g.target.value==="shared"})}>
          <option value="own">each map its own</option>
          <option value="shared">one per explainer</option>
        </select></label>`}
      <span class="zoom" role="group" aria-label="Zoom of all maps">
        <button type="button" aria-label="Zoom out (-)" disabled=${c.factor===1} onClick=${()=>h(.5)}>−</button>
        <button type="button" aria-label="Zoom in (+)" disabled=${c.factor===Yt} onClick=${()=>h(2)}>+</button>
        <button type="button" disabled=${c.factor===1} onClick=${()=>p(rt)}>Whole image</button>
      </span>
      ${e.columns.length>1&&l`<label class="field">Explainer
        <select value=${s??""} onChange=${g=>a(g.target.value||void 0)}>
          <option value="">all</option>
          ${[...new Set(e.columns.map(({name:g})=>g))].map(g=>l`<option value=${g}>${g}</option>`)}
        </select></label>`}
      <span class="muted small">Hold <kbd>Space</kbd> for the photo alone</span>
    </div>
    <div class="scroll" tabindex="0" role="group" aria-label="Maps by explainer and target">
      <table class="maps">
        <thead><tr><th scope="col">target</th>${y.map(g=>l`<th scope="col" key=${g.place}>
          ${w[g.place]}</th>`)}</tr></thead>
        <tbody>${e.rows.map(({target:g,model:k},x)=>l`<tr key=${x}>
          <th scope="row">${g}${b.size>1&&l` <span class="muted">${k}</span>`}</th>
          ${y.map(M=>l`<td key=${M.place}>
            ${e.panels.filter(B=>B.row===x&&B.column===M.place).map(B=>{let z=B.signed?m.signed:m.plain,G=us(e.panels,B,t.shared);return l`<div class="map-cell">
                <${ls} panel=${B} palette=${z} range=${G} choices=${t} ...${{cross:r,setCross:i,zoom:c,setZoom:p,isBare:d}}
                  title=${`${M.name} for ${v.row(x)}`} />
                ${B.values?l`<${is} palette=${z} range=${G} unit=${M.unit} isSigned=${B.signed} />`:l`<span class="muted small">Mid-grey is zero; colours are the channels of ${M.unit||"the map"}.</span>`}
                ${B.note&&l`<span class="muted small">${B.note}</span>`}
                ${M.notes.length>0&&l`<p class="map-note" title=${M.notes.join(" ")}>${M.notes[0]}</p>`}
              </div>`})}
          </td>`)}
        </tr>`)}</tbody>
      </table>
    </div>
    <p class="note">A click zooms in, a click with Shift out; drag to move. Keys: <kbd>+</kbd> <kbd>-</kbd> <kbd>0</kbd>.</p>
    <${cs} chunk=${e} nameOf=${v} />
    ${y.map(g=>l`<details key=${g.place} class="small">
      <summary>${w[g.place]}: parameters and notes</summary>
      ${g.notes.map(k=>l`<p class="note">${k}</p>`)}
      <dl class="facts">${Object.entries(g.parameters).map(([k,x])=>l`<div key=${k}>
        <dt>${k}</dt><dd class="plain">${x}</dd></div>`)}</dl>
    </details>`)}`}function Zt({name:e}){let[t,n]=W(async()=>e?R(e):null,[e]),[s,a]=A({...ss,...os()}),{only:o}=H();if(!e)return null;let r=i=>{a(i),as(i)};return l`<section class="card" aria-labelledby="maps-title">
    <div class="head"><h2 id="maps-title">What the scores depend on</h2></div>
    ${n&&l`<${D} error=${n} />`}
    ${t&&l`<${ps} key=${e} chunk=${t} choices=${s} onChoices=${r}
      only=${o} onOnly=${i=>S({only:i},{replace:!0})} />`}
  </section>`}function V(e,t){if(t.label===null)return[];let n=e.class_outputs?.[t.label],s=[e.classes[t.label],e.outputs[n]];return[...new Set(s.filter(a=>a!=null))]}var pe=(e,t)=>t===null||t<0?"":e.outputs[t]??String(t);var fs=64,lt=e=>Math.max(...e.size)<=fs?"crisp":"";function we({item:e,size:t}){return e?e.preview?l`<img class="square ${lt(e)}" src=${T(e.preview)} alt="" loading="lazy" width=${t} height=${t} />`:l`<${ve} tile=${e.thumb} size=${t} />`:l`<${ve} size=${t} />`}function ct({item:e,box:t,size:n}){if(!e.preview||!t)return null;let[s,a]=e.size,o=[Math.max(0,t[0]),Math.max(0,t[1]),Math.min(a,t[2]),Math.min(s,t[3])],r=n/Math.max(o[2]-o[0],o[3]-o[1]),i={width:`${a*r}px`,height:`${s*r}px`,left:`${n/2-(o[0]+o[2])/2*r}px`,top:`${n/2-(o[1]+o[3])/2*r}px`};return l`<span class="crop" style=${{width:`${n}px`,height:`${n}px`}}>
    <img class=${r>3?"crisp":""} src=${T(e.preview)} alt="" style=${i} /></span>`}var hs=.8,je=e=>`images.html#${new URLSearchParams(e)}`;function ms({item:e}){return e.preview?l`<img class="photo-large ${lt(e)}" src=${T(e.preview)} alt=${e.name}
    width=${e.size[1]} height=${e.size[0]} />`:l`<p class="photo-missing">The photo is not in this report.</p>`}function $s({item:e}){return e.correct===!0?l`<span class="badge good">✓ right prediction</span>`:e.correct===!1?l`<span class="badge bad">✗ wrong prediction</span>`:null}function _s({site:e,item:t,predictions:n,index:s}){let a=V(e,t),o=n.names[s],r=n.rank?.[s]??-1,i=o.some(p=>a.includes(p)),c=n.label_probability?.[s];return l`<table class="predictions">
    <caption class="offscreen">Predicted classes</caption>
    <thead class="offscreen"><tr><th scope="col">class</th><th scope="col">probability</th></tr></thead>
    <tbody>
      ${o.map((p,d)=>{let f=n.probabilities[s][d];return l`<tr class=${a.includes(p)?"is-label":""}>
          <th scope="row"><a href=${je({predicted:p})}>${p}</a>
            ${a.includes(p)&&l` <span class="badge">label</span>`}</th>
          <td><span class="probability"><span style=${{width:`${100*(f??0)}%`}}></span></span></td>
          <td class="number">${K(f)}</td>
        </tr>`})}
      ${!i&&r>=0&&l`<tr class="is-label">
        <th scope="row"><a href=${je({class:a[0]})}>${a.at(-1)}</a> <span class="badge">label</span>
          <span class="muted small"> rank ${r+1}</span></th>
        <td><span class="probability"><span style=${{width:`${100*(c??0)}%`}}></span></span></td>
        <td class="number">${K(c)}</td>
      </tr>`}
    </tbody>
  </table>`}function Qt({site:e,item:t,title:n,rows:s,distances:a,unit:o}){let r=V(e,t),i=s.map((c,p)=>[c,a[p]]).filter(([c])=>c>=0);return l`<div class="near-row">
    <h3>${n}</h3>
    <ol class="thumbs">
      ${i.map(([c,p])=>l`<${gs} key=${c} site=${e} row=${c} distance=${p}
        unit=${o} labels=${r} />`)}
    </ol>
  </div>`}function gs({site:e,row:t,distance:n,unit:s,labels:a}){let[o]=W(()=>Y(t),[t]),r=o?V(e,o):[],i=a.length>0&&r[0]===a[0];return l`<li>
    <a class="image-item small" href=${Re(t)}>
      <${we} item=${o} size=${88} />
      <span class="line">${r[0]??o?.name??""}${i&&l` <span class="same" title="same class">✓<span class="offscreen"> same class</span></span>`}</span>
      <span class="line muted" title=${s}>${C(n)}</span>
    </a>
  </li>`}function bs({site:e,item:t,neighbors:n,index:s}){let a=e.layers.filter(p=>n[p.slug]),o=H();if(a.length===0)return null;let r=a.find(({slug:p})=>p===o.near)??a.at(-1),i=n[r.slug],c=i.items[s].every(p=>p<0);return l`<section class="card" aria-labelledby="near-title">
    <div class="head"><h2 id="near-title">Nearest images</h2>
      ${a.length>1&&l`<label class="field">Features of
        <select value=${r.slug} onChange=${p=>S({near:p.target.value},{replace:!0})}>
          ${a.map(({slug:p,name:d})=>l`<option value=${p}>${d}</option>`)}
        </select></label>`}
    </div>
    ${c?l`<p class="note">The features of this image cannot be compared: they are not finite, or all zero.</p>`:l`<${Qt} site=${e} item=${t} title=${`in the features of ${r.name} (${i.unit})`}
          rows=${i.items[s]} distances=${i.distances[s]} unit=${i.unit} />`}
    ${i.pixel_items&&l`<${Qt} site=${e} item=${t} title="by pixels, for comparison (L2 distance)"
      rows=${i.pixel_items[s]} distances=${i.pixel_distances[s]} unit="L2 distance" />`}
  </section>`}function en({size:[e,t]},[n,s,a,o]){return(Math.min(t,a)-Math.max(0,n))*(Math.min(e,o)-Math.max(0,s))>hs*t*e}function vs({site:e,row:t,box:n}){let[s]=W(()=>Y(t),[t]);if(!s)return l`<span class="crop empty"></span>`;let a=V(e,s)[0]??s.name;return l`<span class="other-patch" title=${s.name}>${n&&s.preview?l`<${ct} item=${s} box=${n} size=${76} />`:l`<${we} item=${s} size=${76} />`}<span class="line muted small">${a}</span></span>`}function ys({site:e,row:t,file:n,commands:s}){if(e.live)return l`<section class="card" aria-labelledby="hint-title"><h2 id="hint-title">Which pixels matter</h2>
      <p><a href=${`live.html#${new URLSearchParams({row:t})}`}>Explain this image in the workbench</a></p></section>`;let[a,o,r]=s,i=[a.replace("PHOTO",()=>n),o];return l`<section class="card source" aria-labelledby="hint-title">
    <h2 id="hint-title">Which pixels matter</h2>
    <p class="note">This report has no maps of this image. ${n==="PHOTO"&&l`Save it as a file PHOTO. `}These
      commands compute maps and add them to the report:</p>
    <div class="lines">${i.map(c=>l`<code>${c}</code><${q} text=${c}>Copy<//>`)}</div>
    <p class="note">Or explain images in the workbench of the browser:</p>
    <div class="lines"><code>${r}</code><${q} text=${r}>Copy<//></div>
  </section>`}function ws({site:e,item:t,units:n,index:s}){let a=e.layers.filter(c=>n[c.slug]),o=H();if(a.length===0)return null;let r=a.find(({slug:c})=>c===o.layer)??a.at(-1),i=n[r.slug][s];return l`<section class="card" aria-labelledby="units-title">
    <div class="head"><h2 id="units-title">Units that it activates most</h2>
      ${a.length>1&&l`<label class="field">Layer
        <select value=${r.slug} onChange=${c=>S({layer:c.target.value},{replace:!0})}>
          ${a.map(({slug:c,name:p})=>l`<option value=${c}>${p} (${n[c][s].length})</option>`)}
        </select></label>`}
    </div>
    <p class="note">${i.length===0?`This image is among the top images of no unit of ${r.name}.`:`Units of ${r.name} that have this image among their top images, the highest ranks first. ${i.some(([,,,c])=>c&&!en(t,c))?"Left: what the unit sees of this image; right: its best patch in another one.":"Each picture is the unit's best patch in another image."}`}</p>
    <ol class="unit-cards">
      ${i.map(([c,p,d,f,m,u])=>l`<li key=${`${c}-${p}`}>
        <a href=${`${T(r.pages.layer)}#unit=${c}`}>
          <span class="pair">${f&&!en(t,f)&&l`<${ct} item=${t} box=${f} size=${76} />`}
            ${m!==null&&l`<${vs} key=${m} site=${e} row=${m} box=${u} />`}</span>
          <strong>unit ${c}</strong>
          <span class="muted small">rank ${p+1} · ${C(d)}</span>
        </a>
      </li>`)}
    </ol>
  </section>`}function xs({site:e,row:t,block:n,commands:s}){let a=`images/${String(Math.floor(t/n)).padStart(4,"0")}`,[o,r]=W(async()=>[await Y(t),await R(a),t],[t]),i=h=>{let _=t+h;_>=0&&_<e.count&&S({id:_})};if(J({ArrowLeft:()=>i(-1),ArrowRight:()=>i(1)}),N(()=>{(o||r)&&I(),o&&(document.title=`${o[0].name} – ${e.title}`)},[o,r]),r)return l`<${D} error=${r} />`;if(!o)return l`<p class="muted">Loading …</p>`;let[c,p,d]=o,f=d-p.start,m=V(e,c),u=e.layers.filter(h=>h.pages.map);return l`<div class="head">
      <h1>${c.name}</h1>
      <${$s} item=${c} />
      <span class="sub">image ${P(d+1)} of ${P(e.count)}</span>
      <span class="steps">
        <button type="button" disabled=${t===0} onClick=${()=>i(-1)}>← previous</button>
        <button type="button" disabled=${t===e.count-1} onClick=${()=>i(1)}>next →</button>
        <${q} text=${()=>location.href}>Copy link<//>
      </span>
    </div>
    <div class="stack">
      <div class="image-head">
        <div class="photo-frame"><${ms} item=${c} /></div>
        <section class="card" aria-labelledby="predictions-title">
          <h2 id="predictions-title">Label and predictions</h2>
          <dl class="facts">
            <div><dt>label</dt><dd>${m.length?l`<a href=${je({class:m[0]})}>${m.join(" · ")}</a>`:l`<span class="muted">none</span>`}</dd></div>
            ${c.predicted!==null&&l`<div><dt>predicted</dt><dd>
              <a href=${je({predicted:pe(e,c.predicted)})}>${pe(e,c.predicted)}</a>
            </dd></div>`}
            <div><dt>size</dt><dd class="plain">${c.size[1]} × ${c.size[0]}</dd></div>
          </dl>
          ${p.predictions?l`<${_s} site=${e} item=${c} predictions=${p.predictions} index=${f} />`:l`<p class="note">The run has no predictions.</p>`}
          ${u.length>0&&l`<p class="links">${u.map(h=>l`<a
            href=${`${T(h.pages.map)}#id=${d}`}>Place on the map of ${h.name}</a> `)}</p>`}
        </section>
      </div>
      ${p.maps?.[f]?l`<${Zt} name=${p.maps[f]} />`:l`<${ys} site=${e} row=${d} file=${p.files[f]} commands=${s} />`}
      <${bs} site=${e} item=${c} neighbors=${p.neighbors} index=${f} />
      <${ws} site=${e} item=${c} units=${p.units} index=${f} />
    </div>`}function ks({site:e,block:t,commands:n}){let{id:s}=H(),a=Number(s??0),o=Number.isInteger(a)&&a>=0&&a<e.count;return N(()=>{o||I()},[o]),o?l`<${xs} site=${e} row=${a} block=${t} commands=${n} />`:l`<p class="problem" role="alert">This report has images 0 to ${e.count-1}; the address asks for “${s}”.</p>`}async function tn(){let e=document.getElementById("image");try{U(l`<${ks} site=${await ue()} block=${Number(e.dataset.block)}
      commands=${JSON.parse(e.dataset.commands)} />`,e)}catch(t){U(l`<${D} error=${t} />`,e),I()}}var xe=120,Cs=new Intl.Collator(void 0,{numeric:!0}),Ss=[["","all"],["right","right"],["wrong","wrong"],["unknown","no label"]],nn=[["","order of the data set"],["confidence","most confident first"],["doubt","least confident first"],["name","name"],["class","class"]];function Es(e){let[t,n]=A([]),[s,a]=A(null),o=Math.ceil(e.count/e.block);return N(()=>{let r=!0,i=[];return(async()=>{for(let p=0;p<o;p++){let d=await R(`items-${String(p).padStart(3,"0")}`);if(!r)return;for(let f=0;f<d.names.length;f++)i.push(ot(d,d.start+f));(p===0||p===o-1||p%16===0)&&n([...i])}})().catch(p=>r&&a(p)),()=>r=!1},[e]),[t,s]}function Ms(e,t){let n=(t.q??"").toLowerCase().split(/\s+/).filter(Boolean);return s=>{let a=V(e,s),o=pe(e,s.predicted);if(t.class&&!a.includes(t.class)||t.predicted&&o!==t.predicted||t.correct==="right"&&s.correct!==!0||t.correct==="wrong"&&s.correct!==!1||t.correct==="unknown"&&s.correct!==null)return!1;let r=`${s.name} ${a.join(" ")} ${o}`.toLowerCase();return n.every(i=>r.includes(i))}}function Ps(e,t,n){let s=(a,o=1)=>[...t].sort((r,i)=>{let[c,p]=[a(r),a(i)];return c===p?r.row-i.row:c===null||c===""?1:p===null||p===""?-1:o*(typeof c=="number"?c-p:Cs.compare(c,p))});return n==="confidence"?s(a=>a.probability,-1):n==="doubt"?s(a=>a.probability):n==="name"?s(a=>a.name):n==="class"?s(a=>V(e,a)[0]??""):t}function Ns({site:e,item:t,isCurrent:n,onFocus:s}){let a=V(e,t)[0]??"",o=pe(e,t.predicted),r=t.correct===!1?"wrong":t.correct===!0?"right":"",i=r==="wrong"?`✗ ${o}`:o===a?"✓":o,c=[t.name,a&&`label ${a}`,o&&`predicted ${o} ${K(t.probability)}`,r].filter(Boolean).join(", ");return l`<li>
    <a class="image-item ${r}" href=${`image.html#id=${t.row}`} aria-label=${c} data-row=${t.row}
      tabindex=${n?0:-1} onFocus=${s}>
      <${we} item=${t} size=${112} />
      <span class="line name">${t.name}</span>
      ${a&&l`<span class="line">${a}</span>`}
      ${o&&l`<span class="verdict"><span class="line">${i}</span>
        <span class="share">${K(t.probability)}</span></span>`}
    </a>
  </li>`}function sn({name:e,title:t,options:n,value:s}){return l`<label class="field">${t}
    <select value=${s} onChange=${a=>S({[e]:a.target.value})}>
      ${n.map(([a,o])=>l`<option value=${a}>${o}</option>`)}
    </select>
  </label>`}function on({name:e,title:t,names:n,value:s}){let a=o=>S({[e]:o.target.value},{replace:!0});return l`<label class="field">${t}
    <input type="search" list=${`${e}-names`} value=${s} placeholder="any" onInput=${a} />
    <datalist id=${`${e}-names`}>${n.map(o=>l`<option value=${o} />`)}</datalist>
  </label>`}function Ls(e,t,n,s,a){let o=t.children,r=Math.max(1,[...o].findIndex(d=>d.offsetTop>o[0].offsetTop)),i=r===1&&o[1]?.offsetTop===o[0]?.offsetTop?o.length:r,c={ArrowRight:1,ArrowLeft:-1,ArrowDown:i,ArrowUp:-i}[e.key],p=e.key==="Home"?0:e.key==="End"?s-1:c?n+c:null;p===null||p<0||p>=s||(e.preventDefault(),a(p))}function As({site:e}){let t=H(),[n,s]=Es(e),[a,o]=A(xe),[r,i]=A(0),c=j(),p=j(),d=se(()=>Ps(e,n.filter(Ms(e,t)),t.sort),[e,n,t]),f=n.some($=>$.predicted!==null),m=se(()=>[...new Set(n.map($=>pe(e,$.predicted)))].filter(Boolean).sort(),[n]),u=se(()=>[...new Set(n.flatMap($=>V(e,$).slice(0,1)))].sort(),[n]);J({"/":()=>p.current.focus()}),N(()=>{o(xe),i(0)},[t]),N(()=>{n.length&&I()},[n]);let h=j();N(()=>{if(!h.current)return;let $=new IntersectionObserver(w=>w.some(y=>y.isIntersecting)&&o(y=>y+xe),{rootMargin:"400px"});return $.observe(h.current),()=>$.disconnect()},[a<d.length,a]);let _=$=>{$>=a&&o($+xe),i($);let w=()=>c.current.children[$]?.firstElementChild?.focus();$<c.current.children.length?w():requestAnimationFrame(w)};if(s)return l`<${D} error=${s} />`;let b=n.length<e.count,v=["q","class","predicted","correct"].some($=>t[$]);return l`<div class="bar-of-controls" role="search">
      <label class="field wide">Search
        <input ref=${p} type="search" value=${t.q??""} placeholder="file, class or prediction  ( / )"
          onInput=${$=>S({q:$.target.value},{replace:!0})} />
      </label>
      ${u.length>0&&l`<${on} name="class" title="Label" names=${u} value=${t.class??""} />`}
      ${f&&l`<${on} name="predicted" title="Predicted" names=${m} value=${t.predicted??""} />
        <${sn} name="correct" title="Prediction is" options=${Ss} value=${t.correct??""} />`}
      <${sn} name="sort" title="Order" value=${t.sort??""}
        options=${f?nn:nn.filter(([$])=>$!=="confidence"&&$!=="doubt")} />
    </div>
    <p class="note" role="status">
      ${P(d.length)} ${v?`of ${P(n.length)}`:""} images${b?`; ${P(e.count-n.length)} are loading …`:""}
      ${v&&l` <a href="#" onClick=${$=>{$.preventDefault(),S({q:null,class:null,predicted:null,correct:null})}}>show all</a>`}
    </p>
    ${d.length===0&&!b&&l`<p class="empty">No image matches.</p>`}
    <ol class="image-grid" ref=${c} onKeyDown=${$=>Ls($,c.current,r,d.length,_)}>
      ${d.slice(0,a).map(($,w)=>l`<${Ns} key=${$.row} site=${e} item=${$}
        isCurrent=${w===r} onFocus=${()=>i(w)} />`)}
    </ol>
    ${a<d.length&&l`<p ref=${h}><button type="button" onClick=${()=>o(a+xe)}>
      Show more of ${P(d.length)}</button></p>`}`}async function an(){let e=document.getElementById("images");try{let t=await ue();U(l`<${As} site=${t} />`,e),t.count===0&&I()}catch(t){U(l`<${D} error=${t} />`,e),I()}}var Os=e=>Uint8Array.from(atob(e),t=>t.charCodeAt(0)),ut=e=>e.replace(/[.*+?^${}()|[\]\\]/g,"\\$&"),Ts=e=>/[*?]/.test(e),Is=(e,t)=>[e.classes[t],e.outputs[e.class_outputs?.[t]]].filter(n=>typeof n=="string");function Rs(e,t){let n=t.trim();return e.classes.some(s=>s.toLowerCase()===n.toLowerCase())?[n]:n.split(",").map(s=>s.trim()).filter(Boolean)}function Ds(e,t,n){let s=p=>t.filter(d=>Is(e,d).some(p)),a=n.toLowerCase(),o=s(p=>p.toLowerCase()===a);if(o.length)return[o,"name"];if(Ts(n)){let p=[...n].map(f=>({"*":".*","?":"."})[f]??ut(f)),d=new RegExp(`^${p.join("")}$`,"isu");return[s(f=>d.test(f)),"pattern"]}let r=n.match(/^(\d+)-(\d+)$/);if(r){let[,p,d]=r.map(Number);return[t.filter(f=>{let m=e.class_outputs?.[f]??-1;return m>=p&&m<=d}),"outputs"]}if(/^\d+$/.test(n))return[[],"number"];let i=new RegExp(`(^|[^\\p{L}\\p{N}])${ut(n)}($|[^\\p{L}\\p{N}])`,"iu"),c=s(p=>i.test(p));return c.length?[c,"word"]:[s(p=>p.toLowerCase().includes(a)),"part"]}function rn(e,t,n){let s={labels:new Set,parts:[],unknown:[],patterns:[]};for(let a of Rs(e,n??"")){let[o,r]=Ds(e,t,a);for(let i of o)s.labels.add(i);r==="part"&&o.length&&s.parts.push(a),!o.length&&r!=="number"&&s.unknown.push(a),r==="pattern"||r==="outputs"?s.patterns.push(a):s.patterns.push(...o.map(i=>e.classes[i].replace(/[*?[]/g,"[$&]")))}return s}function ln(e,t,n){let s=n.slice(n.lastIndexOf(",")+1).trim(),a=n.slice(0,n.lastIndexOf(",")+1),o=t.map(c=>e.classes[c]),r=new RegExp(`(^|[^\\p{L}\\p{N}])${ut(s)}`,"iu"),i=c=>s&&r.test(c)?0:1;return o.sort((c,p)=>i(c)-i(p)||(c<p?-1:1)),o.map(c=>a?`${a} ${c}`:c)}var He=class{constructor(t,n){this.count=n,this.least=t.least,this.images=new Map(t.classes.map((r,i)=>[r,t.images[i]]));let s=Os(t.lifts),a=new Uint16Array(s.buffer,0,s.length/2),o=r=>r?2**((r-1)/t.steps-t.doublings):0;this.rows=new Map(t.classes.map((r,i)=>[r,()=>Float64Array.from(a.subarray(i*n,(i+1)*n),o)]))}of(t){let n=new Float64Array(this.count),s=new Float64Array(this.count).fill(-1),a=new Array(this.count).fill(null),o=0;for(let r of t){let[i,c]=[this.rows.get(r)(),this.images.get(r)];o+=c,i.forEach((p,d)=>{n[d]+=c*p,p>s[d]&&([s[d],a[d]]=[p,r])})}return{lift:n.map(r=>r/o),best:a,images:o,least:this.least}}};var Ue=["done","failed","cancelled"];async function cn(e){let t=null;try{t=await e.json()}catch{}if(!e.ok)throw new Error(t?.error??`the server answered ${e.status}`);return t}var un=async e=>cn(await fetch(`${ge}api/${e}`)),dn=async(e,t={})=>cn(await fetch(`${ge}api/${e}`,{method:"POST",headers:{"Content-Type":"application/json"},body:JSON.stringify(t)}));async function pn(e,t,n,s){let a=await dn("jobs",{model:e,task:t,arguments:n});if(s(a),Ue.includes(a.status))return a.id;let o=new EventSource(`${ge}api/jobs/${a.id}/events`);o.addEventListener("progress",i=>s(JSON.parse(i.data)));let r=!1;return o.addEventListener("end",i=>{r=!0,s(JSON.parse(i.data))}),o.onerror=()=>{o.close(),r||s({...a,status:"failed",error:"the connection to the server was lost"})},a.id}var dt=e=>dn(`jobs/${e}/cancel`);var Bs=100,js=3,Z=new Map,fn=0,Hs=(e,t,n)=>new Promise((s,a)=>{pn(e,"guided_patches",t,r=>Ue.includes(r.status)?s(r):n(r)).catch(a)});async function Us(e,t){let{models:n}=await un("state"),s=[];for(let a=0;a<n.length;a++){let o=(fn+a)%n.length,r=await Hs(o,e,t);if(r.status!=="done"||!r.result.refused)return fn=o,r;s.push(r.result.refused)}return{status:"failed",error:[...new Set(s)].join("; ")}}function Fs(e,t){Z.delete(e),Z.set(e,t),Z.size>Bs&&Z.delete(Z.keys().next().value)}function hn({layer:e,unit:t,record:n,site:s,isWanted:a}){let o=`${t} ${e.name}`,r=e.guided&&n&&n.guided!==null?Ws(e.guided,n.guided):null,[i,c]=A({}),[p,d]=A(0),f=!!s.live&&a&&!r;N(()=>{if(!f||Z.has(o))return;let _=!0,b=null,v=()=>b?.status==="queued"&&b.id&&dt(b.id).catch(()=>{}),$=w=>{b=w,w.status==="done"&&Fs(o,w),_?c({key:o,job:w}):v()};return Us({layer:e.name,unit:t},$).then($,w=>$({status:"failed",error:w.message})),()=>{_=!1,v()}},[o,f,p]);let m=()=>{Z.delete(o),c({}),d(p+1)};if(r||!f)return{place:r,job:null,restart:m};let u=Z.get(o)??(i.key===o?i.job:{status:"queued",progress:{}});return{place:u.status==="done"?{...u.result,row:0,atlas:`api/jobs/${u.id}/files/guided.png`,onError:()=>Z.has(o)&&p<js&&m()}:null,job:u,restart:m}}function mn({guided:{place:e,job:t,restart:n},site:s,layer:a,shell:o}){if(e)return null;if(!s.live){let r=a.draws_guided?o:a.serve;return l`<div class="source guided-status">
      <p class="note">This report has no guided gradients of this unit. This line ${a.draws_guided?"draws them":"opens the run in an app that computes them"}:</p>
      <div class="lines"><code>${r}</code><${q} text=${r}>Copy<//></div></div>`}if(!t)return null;if(!Ue.includes(t.status)){let{description:r,done:i,total:c}=t.progress??{},p=t.status==="running"?r||"starting":"waiting for the model";return l`<div class="guided-status" role="status">
      ${c?l`<progress max=${c} value=${i} aria-label="Progress"></progress>`:l`<progress aria-label="Progress"></progress>`}
      <p class="bar-of-controls"><span class="small muted">Guided gradients: ${p}</span>
        ${t.id&&l`<button type="button" class="quiet" onClick=${()=>dt(t.id).catch(()=>{})}>Cancel</button>`}</p></div>`}return l`<div class="guided-status">
    ${t.status==="failed"?l`<p class="problem" role="alert">No guided gradients: ${t.error}</p>`:l`<p class="note" role="status">Cancelled.</p>`}
    <button type="button" onClick=${n}>${t.status==="failed"?"Try again":"Compute them"}</button></div>`}function Ws({sheets:e,block:t,...n},s){return{...n,...e[Math.floor(s/t)],row:s%t}}function $n({guided:{place:e}}){return e?l`<p class="note">Guided gradients are sharp, but depend little on the weights: they show structure that can
    drive the unit, not why it fires. ${(e.notes??[]).join(" ")}</p>`:null}var re=420,ke=130,Q=ke-22,qs=6;function _n({edges:e,counts:t}){let n=t.reduce((d,f)=>d+f,0),s=Math.log10(Math.max(...t)+1),a=re/t.length,o=Math.ceil(e.length/qs),r=t.map((d,f)=>{let m=d?Math.max(1.5,(Q-6)*Math.log10(d+1)/s):0,h=e[f]===0&&e[f+1]===0?"exactly 0":`${C(e[f])} to ${C(e[f+1])}`,_=e[f+1]>0;return l`<rect key=${f} class=${_?"fires":""} x=${f*a+.5} y=${Q-m}
      width=${Math.max(.5,a-1)} height=${m}><title>${h}: ${P(d)} (${(100*d/n).toPrecision(2)} %)</title></rect>`}),i=e.map((d,f)=>[d,f]).filter(([,d])=>d%o===0),c=t.reduce((d,f,m)=>d+(e[m+1]>0?f:0),0),p=`${P(n)} values from ${C(e[0])} to ${C(e.at(-1))}, ${(100*c/n).toPrecision(3)} % above 0`;return l`<svg class="histogram" viewBox="0 0 ${re} ${ke}" role="img" aria-label=${p}>
      ${r}
      <line x1="0" x2=${re} y1=${Q+.5} y2=${Q+.5} />
      ${i.map(([d,f])=>l`<text key=${f} x=${f*a} y=${ke-6} text-anchor=${f===0?"start":f===e.length-1?"end":"middle"}>${C(d,2)}</text>`)}
    </svg>
    <p class="note">${p} (strong colour). Two bins per doubling; heights are logarithmic.</p>`}var Fe=5;function gn({low:e,high:t,counts:n,strata:s}){let a=n.reduce((u,h)=>u+h,0),o=Math.log10(Math.max(...n)+1),r=re/n.length,i=u=>e+(t-e)*u/n.length,c=n.map((u,h)=>{if(!u)return null;let _=Math.max(1.5,(Q-18)*Math.log10(u+1)/o);return l`<rect key=${h} class=${i(h+1)>0?"fires":""} x=${h*r+.5} y=${Q-_}
      width=${r-1} height=${_}><title>${C(i(h))} to ${C(i(h+1))}: ${P(u)} (${(100*u/a).toPrecision(2)} %)</title></rect>`}),p=e===t?[0]:[...Array(Fe+1).keys()],d=u=>t>e?(u-e)/(t-e)*re:r/2,f=s.map(({share:u,examples:h})=>({share:u,at:d(h[Math.floor(h.length/2)].value)})),m=`The highest values of ${P(a)} images, from ${C(e)} to ${C(t)}`;return l`<svg class="histogram" viewBox="0 0 ${re} ${ke}" role="img" aria-label=${m}>
      ${c}
      ${f.map(({share:u,at:h})=>l`<line key=${u} class="mark" x1=${h} x2=${h} y1="4" y2=${Q}><title>${pt(u)}</title></line>`)}
      <line x1="0" x2=${re} y1=${Q+.5} y2=${Q+.5} />
      ${p.map(u=>l`<text key=${u} x=${u*re/Fe} y=${ke-6}
        text-anchor=${u===0?"start":u===Fe?"end":"middle"}>${C(e+(t-e)*u/Fe,2)}</text>`)}
    </svg>`}function pt(e){return e===1?"lowest":e===.5?"median":`top ${Number((100*e).toPrecision(3))} %`}var zs=64,fe=e=>`${(100*e).toFixed(3)}%`;function bn([e,t],n){let[s,a,o,r]=n??[0,0,t,e],i=Math.max(o-s,r-a),c=(s+o-i)/2,p=(a+r-i)/2;return{width:t/i,height:e/i,left:-c/i,top:-p/i}}var Ks=([e,t],[n,s,a,o])=>({left:n/t,top:s/e,width:(a-n)/t,height:(o-s)/e}),ft=e=>Object.fromEntries(Object.entries(e).map(([t,n])=>[t,fe(n)]));function Vs(e){let t=Math.max(e[2]-e[0],e[3]-e[1]),n=fe((1-(e[2]-e[0])/t)/2);return`inset(${fe((1-(e[3]-e[1])/t)/2)} ${n})`}function Gs({patch:e,mode:t,guided:n,alt:s}){let{image:a,box:o}=e;if(t==="guided"&&n){let c={width:fe(n.columns),height:fe(n.rows),left:fe(-n.rank),top:fe(-n.row)};return l`<img src=${T(n.atlas)} alt=${`guided gradient of ${s}`} style=${c} onError=${n.onError} />`}if(!a?.preview&&a?.thumb)return l`<${ve} tile=${a.thumb} size=${zs} label=${s} className="centered" />`;if(!a?.preview)return l`<span class="no-photo">${a?"photo not available":"not in this report"}</span>`;let r=Math.max(...a.size)<=64?"crisp":"";if(t==="whole"||!o)return l`<span class="photo" style=${ft(bn(a.size,null))}>
      <img class=${r} src=${T(a.preview)} alt=${s} />
      ${o&&l`<span class="box" style=${ft(Ks(a.size,o))}></span>`}</span>`;let i=o[2]-o[0]<40?"crisp":r;return l`<span class="window" style=${{clipPath:Vs(o)}}>
    <img class=${i} src=${T(a.preview)} alt=${s} style=${ft(bn(a.size,o))} /></span>`}function ht({patch:e,rank:t,mode:n,site:s,guided:a,isMeant:o,isLoading:r}){let{image:i}=e,c=i?.label===null||i?.label===void 0?"":s.classes[i.label],p=i?.name??"",d=c||p,f=i&&s.has.images?Re(i.row):null,m=`top ${t+1}: ${d}, activation ${C(e.value)}`,u=l`<span class="frame">${!r&&l`<${Gs} ...${{patch:e,mode:n,guided:a,alt:m}} />`}</span>`;return l`<figure class=${o?"":"faded"}>
    ${f?l`<a href=${f} title=${p}>${u}</a>`:l`<span title=${p}>${u}</span>`}
    <figcaption><b>${C(e.value)}</b> <span title=${d}>${d}</span>
      ${i?.correct===!1&&l`<span class="badge bad" title=${`predicted: ${s.outputs[i.predicted]??i.predicted}`}>wrong</span>`}
    </figcaption>
  </figure>`}var Js=200,Xs=200,vn={crop:"Patch",whole:"Whole image",guided:"Guided gradient"},Ys={whole:"Whole photos with the patch marked (w)",guided:"Pixels that drive the unit (g)"},Zs=e=>/^[\w.\-/]+$/.test(e)?e:`'${e.replaceAll("'","'\\''")}'`,wn=(e,t)=>`${e.shell} ${Zs(e.name)} --unit ${t}`,Qs=(e,t)=>String(Math.floor(e/t)).padStart(3,"0"),ee=new Map,mt=(e,t,n="units")=>`${e}/${n}/${t}`,xn=(e,t)=>ee.has(mt(e,t));async function We(e,t,n,s="units"){let a=mt(e,t,s),o=ee.get(a)??await eo(e,t,n,s);return ee.has(a)||ee.set(a,o),ee.size>Js&&ee.delete(ee.keys().next().value),ee.get(a)}async function eo(e,t,n,s){let o=(await R(`layer/${e}/${s}-${Qs(t,n.block)}`))[t%n.block],r=await Promise.all(o.patches.map(async i=>({...i,image:i.row===null?null:await Y(i.row)})));return{...o,patches:r}}function $t(e,t,n){return We(e,t,n).then(({patches:s})=>{for(let{image:a}of s)a?.preview&&(new Image().src=T(a.preview))},()=>{})}async function to(e){let t=[...e.querySelectorAll("img")].filter(o=>!o.complete),n=o=>new Promise(r=>["load","error"].forEach(i=>o.addEventListener(i,r))),s=new Promise(o=>setTimeout(o,Xs));await Promise.race([Promise.all(t.map(n)),s]);let a=new Promise(o=>requestAnimationFrame(()=>setTimeout(o)));await Promise.race([a,s])}function kn({unit:e,units:t,data:n,layer:s,site:a,slug:o,meant:r,onShown:i}){let c=H(),[p,d]=W(()=>We(o,e,n),[o,e]),f=ee.get(mt(o,e))??p,m=j(null),u=t.indexOf(e),h=x=>{let M=u<0?t[0]:t[(u+x+t.length)%t.length];M!==void 0&&S({unit:M})},_=f?.unit===e,b=c.view in vn?c.view:"crop",v=hn({layer:s,unit:e,record:_?f:null,site:a,isWanted:_&&b==="guided"&&f.patches.length>0}),$=x=>S({view:x==="crop"?null:x},{replace:!0}),w=x=>$(ae().view===x?"crop":x);J({ArrowLeft:()=>h(-1),ArrowRight:()=>h(1),w:()=>w("whole"),g:()=>w("guided"),j:()=>m.current?.focus(),Escape:()=>S({unit:null})});let[y,g]=A(null),k=j(null);return N(()=>{if(d&&I(),!_)return;let x=!0;return to(k.current).then(()=>x&&g({unit:e,record:f})),()=>x=!1},[f,d]),N(()=>{if(!y)return;I(),i();let x=t[t.indexOf(y.unit)+1];x!==void 0&&We(o,x,n).catch(()=>{})},[y]),d?l`<${D} error=${d} />`:_?l`
    <div class="unit-head">
      <p class="path"><a href="../index.html">${a.model}</a> › ${s.name} › </p>
      <h2 class="unit-name">unit ${e}</h2>
      <${so} ...${{unit:e,data:n}} />
      <div class="unit-keys">
        <button type="button" onClick=${()=>h(-1)} title="Previous unit (←)" aria-label="Previous unit">←</button>
        <button type="button" onClick=${()=>h(1)} title="Next unit (→)" aria-label="Next unit">→</button>
        <input type="number" id="jump" ref=${m} min="0" max=${n.count-1} placeholder="unit" aria-label="Go to unit (j)"
          onKeyDown=${x=>x.key==="Enter"&&x.target.value!==""&&S({unit:Math.min(n.count-1,Math.max(0,Math.trunc(x.target.valueAsNumber)))})} />
        <${q} text=${()=>location.href}>Copy link<//>
        <button type="button" onClick=${()=>S({unit:null})} title="All units (Esc)" aria-label="Close">✕</button>
      </div>
    </div>
    <${Cn} ...${{unit:e,data:n,record:f,layer:s}} />
    <div class=${s.other?"unit-body with-other":"unit-body"}>
      <div class="stack">
        <section class="card" aria-labelledby="patches-title" ref=${k}>
          <div class="card-head">
            <h3 id="patches-title">Top patches</h3>
            ${f.patches.length>0&&l`<div class="segments" role="group" aria-label="View">
              ${Object.entries(vn).map(([x,M])=>l`<button type="button" key=${x} aria-pressed=${String(b===x)}
                onClick=${()=>$(x)} title=${Ys[x]}>${M}</button>`)}
            </div>`}
          </div>
          <${Sn} ...${{unit:e,record:f,layer:s,mode:b,site:a,meant:r,guided:v}} />
        </section>
        ${y&&s.has_patches&&l`<${ao} ...${{record:y.record,mode:b,site:a}} />`}
      </div>
      ${s.other&&l`<${po} ...${{unit:e,layer:s,site:a,slug:o,mode:b,meant:r}} />`}
      <div class="stack">${y&&l`<${no} ...${{record:y.record,layer:s,site:a,state:c}} />`}</div>
    </div>
    ${y&&l`<${co} ...${{record:y.record,layer:s,slug:o}} />
      <${fo} ...${{...y,data:n,layer:s,site:a,slug:o}} />`}`:l`<div class="unit-head"><h2 class="unit-name">unit ${e}</h2></div>`}function no({record:e,layer:t,site:n,state:s}){return l`
    ${e.histogram&&l`<section class="card" aria-labelledby="values-title">
      <h3 id="values-title">Values at all positions of all images</h3>
      <${_n} ...${e.histogram} />
    </section>`}
    <${io} ...${{record:e,layer:t,site:n,state:s}} />
    ${e.matters&&l`<${lo} ...${e.matters} />`}`}function so({unit:e,data:t}){let n=t.duplicates[e];return l`
    ${t.dead.includes(e)&&l`<span class="badge bad" title="above zero at no position of any image">dead</span>`}
    ${t.silent.includes(e)&&l`<span class="badge" title="fires in less than 1 % of the images">silent</span>`}
    ${n!==void 0&&l`<a class="badge" href=${Ie({unit:n})}
      title="nearly the same top patches">near-duplicate of ${n}</a>`}`}function Cn({unit:e,data:t,record:n,layer:s}){let a=r=>t.columns[r]?.[e],o=[["maximum",C(a("max")),oo(n,t)],["mean",C(a("mean"))],["fires in",K(a("fires")),"of the images"],["active at",K(a("active")),"of the positions"],["selectivity",C(a("selectivity"),2),"0 to 1"],["prominence",C(a("prominence"),2)]].filter(([,r])=>r!=="–");return l`<dl class="facts unit-facts">
    ${o.map(([r,i,c])=>l`<div key=${r}><dt>${r}</dt>
      <dd>${i} ${c&&l`<small>${c}</small>`}</dd></div>`)}
    ${s.field&&l`<div><dt>receptive field</dt><dd>${s.field.replace(/ pixels of the model's input$/,"")} <small>input pixels</small></dd></div>`}
  </dl>`}function oo({rank:e,tied:t},n){return`rank ${P(e)} of ${P(n.count)}${t>1?`, shared by ${P(t)}`:""}`}function Sn({unit:e,record:t,layer:n,mode:s,site:a,meant:o,guided:r}){if(!n.has_patches)return l`<p class="note">The run has no patches of this layer.</p>`;if(!t.patches.length)return l`<p class="note">No image activates this unit, so it has no patches.</p>`;let i=t.patches[0].value,c=t.patches.map(({image:d})=>o.has(d?.label)),p=c.filter(Boolean).length;return l`${o.size>0&&l`<p class="note meant-note">${p} of ${t.patches.length} patches are of
    ${o.size===1?` “${a.classes[[...o][0]]}”`:" the classes in Find"}.</p>`}
  ${s==="guided"&&l`<${mn} ...${{guided:r,site:a,layer:n,shell:wn(n,e)}} />`}
  <ol class=${`patches is-${s}${s==="guided"&&a.live&&!r.place?" waits":""}`}>
    ${t.patches.map((d,f)=>l`<li key=${f}>
      <${ht} ...${{patch:d,rank:f,mode:s,site:a,highest:i,guided:r?.place?{...r.place,rank:f}:null,isMeant:!p||c[f]}} />
    </li>`)}
  </ol>
  ${s==="whole"&&l`<p class="note">The box is the part of the photo that the unit sees and the model was given.</p>`}
  ${s==="guided"&&l`<${$n} guided=${r} />`}`}function ao({record:e,mode:t,site:n}){let{peaks:s}=e;return s?l`<section class="card" aria-labelledby="peaks-title">
    <h3 id="peaks-title">Highest value of every image</h3>
    <${gn} ...${s} />
    <p class="note">Images in bins of equal width; heights are logarithmic, lines mark the examples.</p>
    <div class="strata">
      ${s.strata.map(a=>l`<${ro} key=${a.share} ...${{...a,mode:t,site:n,total:s.counts.reduce((o,r)=>o+r,0)}} />`)}
    </div>
  </section>`:e.patches.length>0&&l`<section class="card"><h3>Highest value of every image</h3>
      <p class="note">This run has no highest values of all images.</p></section>`}function ro({share:e,examples:t,mode:n,site:s,total:a}){let[o]=W(()=>Promise.all(t.map(({row:c})=>c===null?null:Y(c))),[t]),r=t.map(({rank:c})=>c),i=`${P(r[0])}${r.length>1?`–${P(r.at(-1))}`:""}`;return l`<div>
    <h4>${pt(e)} <small>rank ${i} of ${P(a)}</small></h4>
    <ol class="examples">
      ${t.map((c,p)=>l`<li key=${p}><${ht} ...${{patch:{...c,image:o?.[p]??null},rank:c.rank-1,mode:n==="guided"?"crop":n,site:s,guided:null,isMeant:!0,isLoading:!o}} /></li>`)}
    </ol>
  </div>`}function io({record:e,layer:t,site:n,state:s}){if(!e.classes.length)return l`<section class="card"><h3>Classes</h3><p class="note">
      ${n.classes.length?"No class makes this unit fire.":"The images have no labels, so there are no classes."}</p></section>`;let a=Math.max(...e.classes.map(o=>o.lift));return l`<section class="card" aria-labelledby="classes-title">
    <h3 id="classes-title">Classes it fires for</h3>
    <ol class="bars">
      ${e.classes.map(o=>{let r=n.classes[o.class]??String(o.class),i=s.class===r;return l`<li key=${o.class}>
          <button type="button" aria-pressed=${String(i)} onClick=${()=>S({class:i?null:r})}>
            <span class="bar-name">${r}</span>
            <span class="bar-line"><svg aria-hidden="true" viewBox="0 0 100 6" preserveAspectRatio="none"><rect width=${100*o.lift/a} height="6" /></svg></span>
            <span class="bar-value">${C(o.lift,2)} ×</span>
            <span class="bar-count">${o.count} of ${o.of}</span>
          </button></li>`})}
    </ol>
    <p class="note">Lift: ${t.meaning}. A click filters patches and units.</p>
  </section>`}function lo({images:e,set_to:t,classes:n}){let s=Math.max(...n.map(({drop:a})=>a));return l`<section class="card" aria-labelledby="matters-title">
    <h3 id="matters-title">Classes it matters for</h3>
    ${n.length===0&&l`<p class="note">No score drops without it.</p>`}
    <ol class="bars">
      ${n.map(({name:a,drop:o})=>l`<li key=${a} class="bar-row">
        <span class="bar-name">${a}</span>
        <span class="bar-line"><svg aria-hidden="true" viewBox="0 0 100 6" preserveAspectRatio="none"><rect width=${100*o/s} height="6" /></svg></span>
        <span class="bar-value">${C(o,2)}</span>
      </li>`)}
    </ol>
    <p class="note">Drop of the score when the unit is set to ${t}, ${e===1?"on one image":`mean over ${P(e)} images`}.</p>
  </section>`}function co({record:e,layer:t,slug:n}){if(!e.similar.length&&!e.similar_weights.length)return null;let s=e.patches.length;return l`<section class="card" aria-labelledby="similar-title">
    <h3 id="similar-title">Similar units</h3>
    <div class="similar-rows">
      <${yn} title="by common top images" ...${{layer:t,slug:n}}
        entries=${e.similar.map(({unit:a,shared:o})=>[a,`${o} of ${s}`])} />
      <${yn} title=${`by incoming weights (cosine, ${t.weights})`} ...${{layer:t,slug:n}}
        entries=${e.similar_weights.map(({unit:a,cosine:o})=>[a,o.toFixed(2)])} />
    </div>
  </section>`}function yn({title:e,entries:t,layer:n,slug:s}){return t.length?l`<div><h4>${e}</h4><ul class="similar">
    ${t.map(([a,o])=>l`<li key=${a}><a href=${Ie({unit:a})}>
      <${uo} ...${{unit:a,layer:n,slug:s}} /><b>${a}</b> <span>${o}</span></a></li>`)}
  </ul></div>`:null}function uo({unit:e,layer:t,slug:n}){let s=document.querySelector(`#sheet [data-unit="${e}"] .tile`),a=e%512,o=s?.className??(t.sheets.length?`tile sheet-${n}-${Math.floor(e/512)} x${a%32} y${Math.floor(a/32)}`:"tile missing");return l`<span class=${o}></span>`}function po({unit:e,layer:t,site:n,slug:s,mode:a,meant:o}){let{other:r}=t,[i,c]=W(async()=>{if(e>=r.count)return null;let p=await R(`layer/${s}/other`);return{data:p,record:await We(s,e,p,"other")}},[e]);return c?l`<${D} error=${c} />`:i===void 0?null:l`<section class="card" aria-labelledby="other-title">
    <div class="card-head"><h3 id="other-title">The same unit in ${r.run} (${r.model})</h3></div>
    ${i===null?l`<p class="note">This run has no such unit.</p>`:l`
      <${Sn} ...${{record:{...i.record,guided:null},layer:{has_patches:!0},mode:a==="guided"?"crop":a,site:n,meant:o}} />
      <${Cn} ...${{unit:e,data:i.data,record:i.record,layer:{field:""}}} />`}
  </section>`}function fo({unit:e,record:t,data:n,layer:s,site:a,slug:o}){let r=wn(s,e),i=`convviz.open_run(${JSON.stringify(s.run)}).draw("patches", ${JSON.stringify(s.name)}, units=${e})`,c=t.patches.map((u,h)=>[h+1,u.value,u.image?.name,u.image?.label===null?"":a.classes[u.image?.label],...u.position??["",""],...u.box??["","","",""]]),p=["rank","activation","image","class","y","x","x0","y0","x1","y1"],d=`${o}-unit-${e}`,f=Object.fromEntries(Object.entries(n.columns).map(([u,h])=>[u,h[e]])),m=()=>JSON.stringify({layer:s.name,...t,numbers:f,provenance:s.provenance},null,1);return l`<section class="card source" aria-labelledby="source-title">
    <div class="card-head"><h3 id="source-title">Get it</h3>
      <div class="bar-of-controls">
        <button type="button" onClick=${()=>at(`${d}.csv`,zt(p,c),"text/csv")}>CSV</button>
        <button type="button" onClick=${()=>at(`${d}.json`,m(),"application/json")}>JSON</button>
      </div></div>
    <div class="lines">
      <code>${r}</code><${q} text=${r}>Copy<//>
      <code>${i}</code><${q} text=${i}>Copy<//>
    </div>
    <dl class="facts small">
      ${Object.entries(s.provenance).map(([u,h])=>l`<div key=${u}><dt>${u}</dt>
        <dd class="plain">${u==="weights"?l`<code>${h.slice(0,16)}</code>`:h}</dd></div>`)}
    </dl>
  </section>`}var ho={all:"all units",alive:"units that fire",dead:"dead units",silent:"silent units",twins:"near-duplicates"},mo=["class","sort","show","view"],En=4,$o=100,qe=(e,t)=>e.sort??(t?"lift":"unit");function _o(e,t,n){let s=new Set(e.dead),a=new Set(e.silent),o=new Set(Object.entries(e.duplicates).flat().map(Number)),r={all:()=>!0,alive:u=>!s.has(u),dead:u=>s.has(u),silent:u=>a.has(u),twins:u=>o.has(u)}[t.show]??(()=>!0),i=(t.class??"").trim(),c=u=>!i||String(u)===i||n&&n.lift[u]>=n.least,p=[...Array(e.count).keys()].filter(u=>r(u)&&c(u)),d=qe(t,n),f=d==="lift"?n?.lift:e.columns[d];if(!f)return p;let m=(u,h,_)=>{let[b,v]=[u?.[h]??-1/0,u?.[_]??-1/0];return b===v?0:v-b};return p.sort((u,h)=>m(f,u,h)||m(e.columns.mean,u,h)||u-h)}var _t=class{constructor(t,n,s){this.list=t,this.data=n,this.site=s,this.dead=new Set(n.dead),this.tiles=new Map;for(let a of t.children)this.tiles.set(Number(a.firstElementChild.dataset.unit),a);this.key=`unit  ${[...this.tiles.keys()].join()}`}show(t,n,s,a){let o=`${n} ${s?a:""} ${t.join()}`;if(o!==this.key){this.key=o;for(let r of t){let[,,i,c]=this.tiles.get(r).firstElementChild.children;i.textContent=this.textOf(r,n,s);let p=s&&s.lift[r]>=s.least?this.site.classes[s.best[r]]:"";this.setName(this.tiles.get(r).firstElementChild,c,p)}this.list.replaceChildren(...t.map(r=>this.tiles.get(r)))}}textOf(t,n,s){return n==="lift"?`${C(s.lift[t],2)} ×`:n!=="unit"?C(this.data.columns[n]?.[t]??this.data.columns.max[t]):this.dead.has(t)?"dead":C(this.data.columns.max[t])}setName(t,n,s){if(!s)return n?.remove();let a=n??t.appendChild(document.createElement("small"));a.textContent=s,a.title=s}mark(t){this.list.querySelector("[aria-current]")?.removeAttribute("aria-current"),this.tiles.get(t)?.firstElementChild.setAttribute("aria-current","true")}revealMarked(){let t=this.list.querySelector("[aria-current]");if(!t)return;let[n,s]=[t.getBoundingClientRect(),this.list.getBoundingClientRect()];(n.top<s.top||n.bottom>s.bottom)&&(this.list.scrollTop+=(n.top+n.bottom-s.top-s.bottom)/2)}};function go(e,t){let n=[...t].map(a=>e.classes[a]),s=n.length-En;return s>1?`${n.slice(0,En).join(", ")} and ${s} more`:n.join(", ")}function bo({site:e}){let t=Math.max(...(e.class_outputs??[]).map(o=>o??-1));if(t<0)return null;let n=[e.outputs[151],e.outputs[268]].map(o=>String(o??"").toLowerCase()),s=n[0].startsWith("chihuahua")&&n[1].startsWith("mexican hairless"),a=s?"151-268":`0-${Math.min(t,9)}`;return l`, or outputs of the model: <button type="button" class="quiet inline"
    onClick=${()=>S({class:a})}>${a}</button>${s&&" are the dogs of ImageNet"}`}function vo({site:e,layer:t,meant:n,match:s}){let a=l`Several: <code>*terrier, *hound</code><${bo} site=${e} />.`;if(!n.labels.size&&!n.unknown.length)return null;let o=i=>i.map(c=>`“${c}”`).join(", "),r=`convviz.open_run(${JSON.stringify(t.run)}).units(${JSON.stringify(t.name)}, ${JSON.stringify(n.patterns)}, ${JSON.stringify(t.lifts_from)})`;return l`<p class="note class-note">
    ${n.unknown.length>0&&l`No class with images matches ${o(n.unknown)}. `}
    ${n.parts.length>0&&l`No class has the word ${o(n.parts)}; parts of names match. `}
    ${n.labels.size>0&&l`${n.labels.size>1?`${P(n.labels.size)} classes`:"Class"}: <b>${go(e,n.labels)}</b>${s&&` (${P(s.images)} ${s.images===1?"image":"images"})`}. `}
    ${(n.unknown.length>0||n.parts.length>0)&&a}
    ${n.labels.size>0&&l` <${q} text=${r}>Copy Python<//>`}</p>`}function yo({data:e,layer:t,sorts:n,site:s,units:a,counts:o,meant:r,match:i}){let c=H(),p=j(null);J({"/":()=>p.current?.focus()});let d=Object.entries(ho).filter(([_])=>_==="all"||o[_]),f=i?"lift":"unit",m=Object.entries(i?{lift:"lift of the class",...n}:n),u=c.class??"",h=_=>S({class:_,...u?{}:{sort:null}},{replace:!0});return l`
    <label class="field">Sort by
      <select id="sort" value=${qe(c,i)}
        onChange=${_=>S({sort:_.target.value===f?null:_.target.value})}>
        ${m.map(([_,b])=>l`<option key=${_} value=${_}>${b}</option>`)}
      </select>
    </label>
    ${d.length>1&&l`<label class="field">Show
      <select id="show" value=${c.show??"all"}
        onChange=${_=>S({show:_.target.value==="all"?null:_.target.value})}>
        ${d.map(([_,b])=>l`<option key=${_} value=${_}>${b}</option>`)}
      </select>
    </label>`}
    <label class="field grow">Find
      <input id="find" type="search" ref=${p} value=${u} list="class-names"
        placeholder=${o.classes.length?"classes or number":"number"} onInput=${_=>h(_.target.value)} />
    </label>
    <datalist id="class-names">
      ${ln(s,o.classes,u).map(_=>l`<option key=${_} value=${_}></option>`)}
    </datalist>
    <span class="muted small" role="status">${a.length===e.count?"":`${a.length} of ${e.count} units`}</span>
    <${vo} ...${{site:s,layer:t,meant:r,match:i}} />`}function wo(e,t,n,s,a){let o=t==="lift"?"lift":t==="unit"?n.max??"maximum":n[t]??"maximum",r=s?", and the class with the highest lift":"",i=t==="lift"?` Lift: ${a.meaning.split(";")[0]}.`:"";e.textContent=`Below: number of the unit, ${o}${r}.${i}`}function xo(e){let t=mo.filter(s=>e[s]).map(s=>[s,e[s]]),n=t.length?`#${new URLSearchParams(t)}`:"";for(let s of document.querySelectorAll(".layers a"))s.href=s.getAttribute("href").split("#")[0]+n}async function Mn(){let e=document.getElementById("layer"),t=document.getElementById("controls"),n=document.getElementById("unit"),{slug:s}=e.dataset,a,o,r;try{[a,o,r]=await Promise.all([ue(),R(`layer/${s}/units`),R(`layer/${s}/layer`)])}catch(v){return U(l`<${D} error=${v} />`,t),I()}let i=new _t(document.getElementById("sheet"),o,a),c={alive:o.dead.length?o.count-o.dead.length:0,dead:o.dead.length,silent:o.silent.length,twins:Object.keys(o.duplicates).length,classes:o.with_images},p=JSON.parse(t.dataset.sorts),d=document.getElementById("sheet-numbers"),f,m,u=null,h=()=>R(`layer/${s}/classes`).then(v=>f=new He(v,o.count),v=>m=v),_=()=>i.revealMarked(),b=()=>{let v=ae(),$=/^\d+$/.test(v.unit??"")&&Number(v.unit)<o.count?Number(v.unit):null;if($!==null&&$!==u&&!xn(s,$)){u=$;let k=new Promise(x=>setTimeout(x,$o));return void Promise.race([$t(s,$,o),k]).then(b)}u=null;let w=rn(a,c.classes,v.class);if(w.labels.size&&!f&&!m)return void h().then(b);let y=w.labels.size&&f?f.of(w.labels):null,g=_o(o,v,y);i.show(g,qe(v,y),y,v.class),wo(d,qe(v,y),p,y,r),xo(v),e.classList.toggle("has-unit",$!==null),n.hidden=$===null,i.mark($),U(m?l`<${D} error=${m} />`:l`<${yo} ...${{data:o,layer:r,sorts:p,site:a,units:g,counts:c,meant:w,match:y}} />`,t),U($===null?null:l`<${kn} ...${{unit:$,units:g,data:o,layer:r,site:a,slug:s,meant:w.labels,onShown:_}} />`,n),$===null&&I()};i.list.addEventListener("click",v=>{let $=v.target.closest("a[data-unit]");!$||v.ctrlKey||v.metaKey||v.shiftKey||(v.preventDefault(),S({unit:$.dataset.unit}),matchMedia("(max-width: 66rem)").matches&&scrollTo(0,0))}),i.list.addEventListener("pointerover",v=>{let $=v.target.closest("a[data-unit]");$&&$t(s,Number($.dataset.unit),o)}),be(b),b(),a.count<=a.block&&Y(0).catch(()=>{})}var ko=()=>{De(),I()},Co={benchmark:ko,dataset:Vt,image:tn,images:an,layer:Mn},Pn=Co[document.body.dataset.page];Pn?Pn():I();})();
